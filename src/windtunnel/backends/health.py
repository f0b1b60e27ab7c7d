"""Readiness and liveness: probes of a service, asked again and again, and what their answers mean."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from windtunnel.backends.base import RunContext
from windtunnel.backends.notifier import seconds_until
from windtunnel.backends.platform import Rehearsed, Routes, Task
from windtunnel.backends.probes import OVER_NETWORK, Answer, describe
from windtunnel.backends.running import Running
from windtunnel.errors import InvalidResult, PlatformError
from windtunnel.plan import Gang, Liveness, Probe

PROBE_SECONDS = 1.0
"""How long the first probes may take."""
FIRST_INTERVAL, LAST_INTERVAL, INTERVAL_GROWTH = 0.01, 0.25, 0.02
_REFUSED = "connection refused"


class Prober:
    """Asks the services of a run.

    Args:
        context: The run.
        check: Raises what ends the run while these steps live.
    """

    def __init__(self, context: RunContext, check: Callable[[Sequence[Running]], None]) -> None:
        self._notifier = context.notifier
        self._check = check

    def await_ready(self, running: Running, others: Sequence[Running]) -> None:
        """Ask the readiness probe again and again, first every 10 ms, while `others` live.

        Raises:
            PlatformError: The service did not answer in time (``not_ready``, with its last answer), or has ended.
            InvalidResult: One of `others` died.
            TimedOut, Cancelled: As the run's control says.
        """
        ready = running.service.ready
        began = time.monotonic()
        deadline = began + ready.within
        patience = PROBE_SECONDS
        last: Answer | None = None
        while True:
            self._check_alive(running)
            self._check(others)
            allowed = min(patience, max(0.05, seconds_until(deadline)))
            answer = self.ask(running, ready.probe, allowed)
            if answer.ok:
                break
            if last is None or allowed == patience or not answer.is_late:
                last = answer  # an answer cut short by the deadline tells less than the one before
            # A slow answer is given time to come, and one that never comes must not use up all the time.
            patience *= 2 if answer.is_late else 1
            if time.monotonic() >= deadline:
                question = describe(ready.probe, running.asked_at)
                raise running.error(
                    PlatformError,
                    f"{running.name} was not ready within {ready.within:g} s: {question}: {last.detail}",
                    "not_ready",
                )
            interval = min(max(FIRST_INTERVAL, INTERVAL_GROWTH * (time.monotonic() - began)), LAST_INTERVAL)
            self._notifier.wait(lambda: running.has_ended, interval)
        self._check_alive(running)

    def _check_alive(self, running: Running) -> None:
        if running.has_ended:
            self._check([])
            words, state = running.end()
            raise running.error(
                PlatformError, f"{running.name}{words} before it was ready", state.reason or "exited_before_ready"
            )

    def watch_liveness(self, running: Running) -> None:
        """Ask a service's liveness probe from now on, in a thread of its own, if it has one."""
        if live := running.service.live:
            self._notifier.start_thread(f"live-{running.name}", lambda: self._watch(running, live))

    def _watch(self, running: Running, live: Liveness) -> None:
        misses = 0
        while not self._notifier.wait(lambda: not running.is_needed, live.every):
            try:
                answer = self.ask(running, live.probe, live.timeout)
            except PlatformError as error:
                answer = Answer(ok=False, detail=error.message)
            misses = 0 if answer.ok else misses + 1
            if misses >= live.failures and running.is_needed:
                question = describe(live.probe, running.asked_at)
                running.death = running.error(
                    InvalidResult,
                    f"{running.name} failed its liveness probe {misses} times in a row: {question}: {answer.detail}",
                    "liveness_failed",
                )
                return

    def ask(self, running: Running, probe: Probe, seconds: float) -> Answer:
        """Ask all of a service's tasks once; the first answer that is no yes counts.

        A yes over the network is one if the way that the service's clients take leads there too.
        """
        answer = Answer(ok=False, detail="nothing runs")
        for task in running.tasks:
            answer = _ask_task(running, task, probe, seconds)
            if not answer.ok:
                is_hinted = probe.kind in OVER_NETWORK and not running.is_reached
                return self._with_hint(running, answer) if is_hinted else answer
        running.is_reached = running.is_reached or probe.kind in OVER_NETWORK
        platform = running.platform
        # The workers of a gang are reached one by one.
        is_routed = running.is_routed or isinstance(running.step, Gang)
        if isinstance(platform, Routes) and running.address.port and not is_routed:
            answer = platform.reach_service(running.address, seconds)
            if not answer.ok:
                return self._with_hint(running, answer)
            running.is_routed = True
        return answer

    @staticmethod
    def _with_hint(running: Running, answer: Answer) -> Answer:
        kind = running.platform.kind
        if kind == "process" or not answer.detail.endswith(_REFUSED):
            return answer
        hint = f"; in a {kind} a server has to listen on all addresses (0.0.0.0), not on 127.0.0.1 alone"
        return replace(answer, detail=f"{answer.detail}{hint}")

    def run_beside(self, running: Running, command: tuple[str, ...], seconds: float) -> Answer:
        """Run a command beside all of a step's tasks; return the first answer that is no yes, else the first."""
        answers = [task.run(task.unit.substitute(command), seconds) for task in running.tasks]
        return next((answer for answer in answers if not answer.ok), answers[0])


def _ask_task(running: Running, task: Task, probe: Probe, seconds: float) -> Answer:
    if isinstance(task, Rehearsed):
        return task.answer(probe)
    if probe.kind in OVER_NETWORK:
        return task.reach(probe.kind, probe.port or running.address.port or 0, probe.target, seconds)
    if probe.kind == "log":
        return running.reader.ask(task.log, probe.target, seconds)
    return task.run(task.unit.substitute(probe.command), seconds)
