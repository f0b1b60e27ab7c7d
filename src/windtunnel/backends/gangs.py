"""The gangs of a run: started whole or not at all, and what their launchers told. Written once for all platforms."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from windtunnel.backends.base import RunContext
from windtunnel.backends.equipment import Equipment, names_of, planned_ranks
from windtunnel.backends.platform import HasGangs, NotAgainError, Rehearsed, Whereabouts
from windtunnel.backends.running import Running
from windtunnel.errors import PlatformError, WindtunnelError
from windtunnel.mpi.launch_report import LaunchReport
from windtunnel.mpi.launch_script import Host, Order
from windtunnel.mpi.launch_trouble import find_trouble
from windtunnel.plan import Gang, Job
from windtunnel.run.events import EventType

_NO_ROOM = {"unschedulable", "quota"}
_LEAST_PAUSE, _MOST_PAUSE = 1.0, 8.0
"""Seconds between two tries; gangs that block each other do not try again at the same time."""


class Gangs:
    """The gangs of one run.

    Args:
        context: The run.

    Attributes:
        equipment: What makes units workers and launchers.
    """

    def __init__(self, context: RunContext) -> None:
        self._context, self._journal, self._notifier = context, context.journal, context.notifier
        self.equipment = Equipment(context.plan)
        self._places: dict[str, Mapping[int, Whereabouts]] = {}
        self._troubles: dict[int, WindtunnelError] = {}
        self._facts: dict[str, Any] = {}

    def start(self, running: Running, check: Callable[[], None]) -> None:
        """Start all of a step's units or none; a gang that has no room is tried again for as long as it says.

        Args:
            running: The step.
            check: Raises what ends the run.

        Raises:
            PlatformError: One cannot be started, or there is no room for all of them.
        """
        wait = running.step.wait if isinstance(running.step, (Gang, Job)) else 0.0
        deadline = time.monotonic() + wait
        while True:
            try:
                running.tasks = running.platform.start(running.units)
            except NotAgainError:
                if wait:
                    self._journal.note("is not tried again, as its pod is made once", running.name)
                raise
            except PlatformError as error:
                pause = random.uniform(_LEAST_PAUSE, _MOST_PAUSE)  # noqa: S311 - no secret
                if error.code not in _NO_ROOM or time.monotonic() + pause > deadline:
                    raise
                self._journal.note(f"is tried again in {pause:.1f} s: {error.message}", running.name)
            else:
                break
            self._notifier.wait(lambda: False, pause)
            check()
        self._place(running)

    def _place(self, running: Running) -> None:
        """Note where the members of a step are, if it has members that reach each other."""
        step, platform = running.step, running.platform
        if not isinstance(platform, HasGangs) or not isinstance(step, (Gang, Job)) or not running.units[0].hostname:
            return
        running.whereabouts = {task.unit.number: platform.whereabouts(task) for task in running.tasks}
        self._places[step.name] = running.whereabouts
        if isinstance(step, Gang):
            self.equipment.hosts[step.name] = [
                Host(name=name, address=where.address)
                for name, where in zip(names_of(step), running.whereabouts.values(), strict=True)
            ]
            running.ranks = planned_ranks(self._context.plan, step)
        else:
            self._facts[step.name] = {"members": self._members(step)}

    def _members(self, step: Gang | Job) -> list[dict[str, Any]]:
        """Return where the members of a step are; none where its launcher starts all ranks itself."""
        places, names = self._places.get(step.name, {}), names_of(step)
        return [
            {"name": names[number - 1], "address": where.address, "node": where.node}
            for number, where in places.items()
        ]

    def learn(self, running: Running) -> None:
        """Read what the launcher of a job told, once the job was stopped."""
        order = self.equipment.order(running.units[0])
        if order is None or not running.tasks or isinstance(running.tasks[0], Rehearsed):
            return
        report = LaunchReport.parse(_text(running.launch_report), order)
        # One that was killed, such as for want of memory, told nothing of its end: it is told as any command's.
        is_killed = report.run_status is None and (running.status or 0) < 0
        if not is_killed and (trouble := find_trouble(report, running.name)):
            trouble.log_tail = trouble.log_tail or running.last_lines
            self._troubles[id(running)] = trouble
        for host, names in report.left.items():
            message = f"ranks left processes behind on {host} ({', '.join(names)}); they are ended"
            self._journal.note(message, running.name, running.iteration)
        if report.version:
            self._tell(running, order, report)

    def _tell(self, running: Running, order: Order, report: LaunchReport) -> None:
        """Tell which rank was where, and what the launcher is."""
        ranks: dict[str, list[int]] = {}
        for rank, host in sorted(report.census.items()):
            ranks.setdefault(host, []).append(rank)
        launcher = {"implementation": order.implementation, "version": report.version}
        seconds = {"barrier_seconds": report.barrier, "census_seconds": report.census_seconds}
        launched = running.step.launcher if isinstance(running.step, Job) else None
        gang = self._context.plan.step(launched.gang) if launched else None
        if isinstance(gang, Gang):
            members = [{**member, "ranks": ranks.get(member["name"], [])} for member in self._members(gang)]
            self._facts[gang.name] = {**launcher, **seconds, "members": members}
        where = ", ".join(f"{', '.join(map(str, each))} on {host}" for host, each in ranks.items())
        message = f"{order.implementation} {report.version}" + (f": ranks {where}" if where else "")
        data = {**launcher, **seconds, "ranks": ranks}
        self._journal.emit(EventType.RANKS_PLACED, running.name, running.iteration, message=message, **data)

    def trouble(self, running: Running) -> WindtunnelError | None:
        """Return what the launcher of a job that was stopped told of its end, if that was none of the good ones."""
        return self._troubles.pop(id(running), None)

    def facts(self) -> dict[str, Any]:
        """Return where the members of gangs were, and their ranks, for ``environment.json``; nothing without gangs."""
        return {"gangs": self._facts} if self._facts else {}


def _text(report: Path) -> str:
    """Return what a launcher wrote down; nothing if it came to nothing, or if that was lost."""
    with contextlib.suppress(OSError):
        return report.read_text(encoding="utf-8", errors="replace")
    return ""
