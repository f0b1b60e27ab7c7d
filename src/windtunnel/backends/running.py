"""A step that was started: its tasks, and what they mean together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from windtunnel.backends.base import Address, describe_status
from windtunnel.backends.platform import Platform, State, Task, Whereabouts
from windtunnel.backends.probes import LogReader
from windtunnel.backends.unit import Unit
from windtunnel.errors import WindtunnelError
from windtunnel.mpi.launch_script import beside
from windtunnel.plan import Gang, Job, Service
from windtunnel.run.folder import tail

E = TypeVar("E", bound=WindtunnelError)


@dataclass(eq=False)
class Running:
    """A step that was started.

    Attributes:
        platform: Where it runs.
        units: What it was started as, one of each replica.
        metrics: Its ``$WINDTUNNEL_METRICS`` file, on this machine once the step was stopped.
        tasks: One of each unit; none yet for a service that starts with its client.
        is_stopped: Whether it was told to end.
        death: What ended it, if its liveness probe did.
        is_reached: Whether a probe has reached all of its tasks over the network.
        is_routed: Whether the way that its clients take has led to it.
        is_background_told: Whether people were told that it went to the background.
        words: How it ended, if that was waited for; once it is taken down a platform may tell of that alone.
        whereabouts: Where each of its members is, by the member's number, if it has such.
        ranks: Which ranks are planned for each worker of a gang, by the worker's number.
        reader: Reads its output for log probes.
    """

    platform: Platform
    units: Sequence[Unit]
    metrics: Path
    tasks: Sequence[Task] = ()
    is_stopped: bool = False
    death: WindtunnelError | None = None
    is_reached: bool = False
    is_routed: bool = False
    is_background_told: bool = False
    words: str = ""
    whereabouts: Mapping[int, Whereabouts] = field(default_factory=dict)
    ranks: Mapping[int, Sequence[int]] = field(default_factory=dict)
    reader: LogReader = field(default_factory=LogReader)

    @property
    def step(self) -> Service | Job:
        """The step."""
        return self.units[0].step

    @property
    def name(self) -> str:
        """The step's name."""
        return self.step.name

    @property
    def iteration(self) -> int | None:
        """The iteration that it was started for, if for one."""
        return self.units[0].iteration

    @property
    def address(self) -> Address:
        """Where other steps reach it."""
        return self.units[0].site.address

    @property
    def asked_at(self) -> Address:
        """Where probes ask it."""
        return self.tasks[0].address if self.tasks else self.address

    @property
    def service(self) -> Service:
        """The step as a service (TypeError if it is a job)."""
        if not isinstance(self.step, Service):
            msg = f"{self.name} is no service"
            raise TypeError(msg)
        return self.step

    @property
    def launch_report(self) -> Path:
        """What its launcher found out, on this machine once the step was stopped, if it has a launcher."""
        return beside(self.metrics)

    @property
    def status(self) -> int | None:
        """Its command's exit status, -N for signal N: that of the first task that ended.

        The members of a job have to end well, all of them: theirs is that of the first that did not.
        """
        ended = [state for task in self.tasks if (state := task.state).status is not None]
        if isinstance(self.step, Job):
            failed = [state for state in ended if state.status]
            ended = failed or (ended if len(ended) == len(self.tasks) else [])
        return min(ended, key=lambda state: state.at).status if ended else None

    @property
    def has_ended(self) -> bool:
        """Whether one of its tasks has ended, or is bound to."""
        return any(task.state.phase != "running" for task in self.tasks)

    @property
    def is_gone(self) -> bool:
        """Whether nothing of it runs any more."""
        return all(task.state.phase == "gone" for task in self.tasks)

    @property
    def is_over(self) -> bool:
        """Whether a job has come to its end: all of its tasks have, or one of several in a way that ends the others.

        One that somebody takes away is awaited until it is gone, for what it still writes; of several, the others
        would go on for nothing.
        """
        states = [task.state for task in self.tasks]
        is_lost = any(state.reason or (state.phase == "gone" and state.status is None) for state in states)
        return self.status is not None or self.is_gone or (len(states) > 1 and is_lost)

    @property
    def is_in_background(self) -> bool:
        """Whether the command of one of its tasks has ended, and what that left is the task."""
        states = [task.state for task in self.tasks]
        return any(state.phase == "running" and state.status is not None for state in states)

    @property
    def is_needed(self) -> bool:
        """Whether it is to live on: it has not ended, and nobody has told it to."""
        return not self.is_stopped and not self.has_ended and not any(task.state.is_released for task in self.tasks)

    def end(self) -> tuple[str, State]:
        """Return how it ended, in words that follow its name, and the state that tells it."""
        task = self._ended_first
        state = task.state
        which = f"'s {self.describe(task)} " if len(self.tasks) > 1 else " "
        return f"{which}{state.words or describe_status(state.status or 0)}", state

    def describe(self, task: Task) -> str:
        """Return what one of several tasks is called, in words that follow its step's name."""
        where = self.whereabouts.get(task.unit.number)
        node = f" on {where.node}" if where else ""
        if isinstance(self.step, Job):
            return f"rank {task.unit.number - 1}{node}"
        if not isinstance(self.step, Gang):
            return f"replica {task.name}"
        ranks = self.ranks.get(task.unit.number, ())
        who = f"{'rank' if len(ranks) == 1 else 'ranks'} {', '.join(map(str, ranks))}" if ranks else ""
        return f"worker {task.unit.hostname}" + (f" ({who}{node})" if who else node)

    def error(self, kind: type[E], message: str, code: str) -> E:
        """Return an error that names the step and has its last lines."""
        return kind(message, code=code, step=self.name, log_tail=self.last_lines)

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The last lines of its output, of the task that ended first if one has."""
        return tail(self._ended_first.log)

    @property
    def _ended_first(self) -> Task:
        states = [(task, task.state) for task in self.tasks]
        # One that is gone says more than one that is only bound to end.
        over = [each for each in states if each[1].phase == "gone"] or [e for e in states if e[1].phase != "running"]
        if isinstance(self.step, Job):
            # Members that have ended well are not why the job has.
            over = [each for each in over if each[1].status or each[1].reason] or over
        return min(over or states[:1], key=lambda each: each[1].at)[0]
