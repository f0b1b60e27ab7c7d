"""What every session that watches its steps itself does alike: asks until ready, waits, gives graces.

A backend adds how a change is heard, how a command is run beside a step, and how a step ends.
"""

from __future__ import annotations

import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from windtunnel.backends.base import Handle, RunContext, warden_seconds
from windtunnel.backends.inputs import fetch_input
from windtunnel.backends.notifier import seconds_until
from windtunnel.backends.probes import Answer, ask, describe
from windtunnel.backends.started import StartedStep
from windtunnel.errors import InvalidResult, PlatformError, Unsupported
from windtunnel.plan import InputFile, Job, Liveness, Probe, Service
from windtunnel.run.control import POLL_SECONDS
from windtunnel.run.events import EventType
from windtunnel.run.folder import tail
from windtunnel.run.threads import start_thread

JOB_GRACE_SECONDS = 5.0
SETTLE_SECONDS = 0.1
PROBE_SECONDS = 1.0
FIRST_INTERVAL, LAST_INTERVAL, INTERVAL_GROWTH = 0.01, 0.25, 0.02


R = TypeVar("R", bound=StartedStep)


class AttendedSession(ABC, Generic[R]):
    """A session that this process watches over."""

    _kind: ClassVar[type[StartedStep]]
    _settle_seconds: ClassVar[float] = SETTLE_SECONDS
    _told_late: ClassVar[float] = 0.5
    """How many seconds may pass until this hears that a step has ended."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._folder, self._journal, self._control = context.folder, context.journal, context.control

    @abstractmethod
    def _wait_change(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until `condition` holds, asked whenever something happens; tell whether it does."""

    @abstractmethod
    def _check_platform(self) -> None:
        """Raise PlatformError if the run has lost what it stands on."""

    @abstractmethod
    def _run_beside(self, running: R, command: tuple[str, ...], seconds: float) -> Answer:
        """Run a command of a step (a probe, a stop command) where the step runs."""

    @abstractmethod
    def _finish(self, running: R, grace: float) -> None:
        """End what still runs of a step, within its grace, and keep what it wrote."""

    @property
    @abstractmethod
    def _inputs(self) -> dict[str, Path]:
        """Fetched inputs by the path at which each step finds them."""

    def fetch(self, inputs: Sequence[InputFile]) -> None:
        """Fetch and verify the inputs, through the user's cache."""
        folder = self._folder.path / "work" / "inputs"
        for number, item in enumerate(inputs):
            # A copy of the run's own: what a step writes to it reaches neither the original nor the cache.
            path, digest = fetch_input(item, self._context.base, self._control, folder / str(number))
            self._take_input(item, path, digest)
            self._journal.emit(EventType.INPUT_FETCHED, message=item.src, path=str(path), sha256=digest)

    def _take_input(self, item: InputFile, path: Path, _digest: str) -> None:
        """Take in an input that was fetched: where it lies, and its SHA-256."""
        self._inputs[item.path] = path

    def _install(self, step: Service | Job) -> tuple[dict[str, str], bool]:
        """Install what a step requires; return its packages by name, and whether they were there already.

        Raises:
            Unsupported: Unless a backend says how, it cannot.
        """
        raise Unsupported(f"{step.name}: its requirements cannot be installed here", step=step.name)

    def install(self, steps: Sequence[Service | Job]) -> None:
        """Install the Python packages that steps require, or take them from the user's cache."""
        for step in steps:
            packages, is_kept = self._install(step)
            # An image may have it all.
            names = [f"{name} {version}" for name, version in sorted(packages.items())] or ["all that it requires"]
            self._journal.emit(
                EventType.REQUIREMENTS_INSTALLED,
                step.name,
                message=", ".join(names),
                packages=packages,
                cached=is_kept,
            )

    def until_ready(self, handle: Handle, others: Sequence[Handle]) -> None:
        """Ask the readiness probe again and again, first every 10 ms."""
        running, watched = self._own(handle), [self._own(other) for other in others]
        service = running.service
        began = time.monotonic()
        deadline = began + service.ready.within
        patience = PROBE_SECONDS
        last: Answer | None = None
        while True:
            self._check_before_ready(running)
            self._check(watched)
            allowed = min(patience, max(0.05, seconds_until(deadline)))
            answer = self._ask(running, service.ready.probe, allowed)
            if answer.ok:
                break
            if last is None or allowed == patience or not answer.is_late:
                last = answer  # the deadline may leave no time for one, which says nothing of the server
            # An answer may be slow to come, and one that never comes must not use up all the time.
            patience *= 2 if answer.is_late else 1
            if time.monotonic() >= deadline:
                question = describe(service.ready.probe, running.probed)
                raise PlatformError(
                    f"{service.name} was not ready within {service.ready.within:g} s: {question}: {last.detail}",
                    code="not_ready",
                    step=service.name,
                    log_tail=tail(running.log),
                )
            interval = min(max(FIRST_INTERVAL, INTERVAL_GROWTH * (time.monotonic() - began)), LAST_INTERVAL)
            self._wait_change(lambda: running.has_ended, interval)
        self._check_before_ready(running)
        self._watch_liveness(running)

    def _watch_liveness(self, running: R) -> None:
        """Watch a service that is ready, if it says how."""
        if live := running.service.live:
            start_thread(self._control, f"live-{running.name}", lambda: self._watch_live(running, live))

    def _check_before_ready(self, running: R) -> None:
        if running.has_ended:
            self._check_platform()
            end = running.end()
            raise PlatformError(
                f"{running.name} {end.words} before it was ready",
                code=end.code or "exited_before_ready",
                step=running.name,
                log_tail=tail(running.log),
            )

    def wait(self, job: Handle, services: Sequence[Handle]) -> int:
        """Wait for the job's end while the services live."""
        running, watched = self._own(job), [self._own(service) for service in services]

        def has_died() -> bool:
            return any(service.has_ended or service.death for service in watched)

        while not self._wait_change(lambda: running.status is not None or running.is_gone or has_died(), POLL_SECONDS):
            self._check_platform()
            self._control.check()
        if running.status:
            # A client fails because its server died: give that death a moment to be heard.
            self._wait_change(has_died, self._settle_seconds)
        self._check(watched)
        return running.status if running.status is not None else -signal.SIGKILL

    def check(self, services: Sequence[Handle]) -> None:
        """Raise what ended the run: the control's word, or a service's death."""
        self._check([self._own(service) for service in services])

    def _check(self, services: Sequence[R]) -> None:
        self._check_platform()
        self._control.check()
        for running in services:
            if running.death:
                raise running.death
            if running.has_ended:
                end = running.end()
                raise InvalidResult(
                    f"{running.name} {end.words} while it was needed",
                    code=end.code or "server_died",
                    step=running.name,
                    log_tail=tail(running.log),
                )

    def _watch_live(self, running: R, live: Liveness) -> None:
        misses = 0
        while not self._wait_change(lambda: not running.is_needed, live.every):
            try:
                answer = self._ask(running, live.probe, live.timeout)
            except PlatformError as error:
                answer = Answer(ok=False, detail=error.message)
            misses = 0 if answer.ok else misses + 1
            if misses >= live.failures and running.is_needed:
                question = describe(live.probe, running.probed)
                running.death = InvalidResult(
                    f"{running.name} failed its liveness probe {misses} times in a row: {question}: {answer.detail}",
                    code="liveness_failed",
                    step=running.name,
                    log_tail=tail(running.log),
                )
                return

    def _ask(self, running: R, probe: Probe, timeout: float) -> Answer:
        beside = partial(self._run_beside, running)
        return ask(probe, running.probed, running.log, beside, timeout, running.reader)

    def stop(self, handle: Handle) -> None:
        """End a step (stop command, SIGTERM, SIGKILL), keep its artifacts."""
        running = self._own(handle)
        if running.is_stopped:
            return
        running.is_stopped = True
        step = running.step
        grace = step.grace if isinstance(step, Service) else JOB_GRACE_SECONDS
        if isinstance(step, Service) and step.stop and not running.is_gone:
            self._run_stop_command(running, step.stop, grace)
        self._finish(running, grace)

    def _run_stop_command(self, running: R, command: tuple[str, ...], grace: float) -> None:
        deadline = time.monotonic() + (0 if self._control.is_urgent else grace)
        try:
            answer = self._run_beside(running, command, seconds_until(deadline))
        except PlatformError as error:
            answer = Answer(ok=False, detail=error.message)
        if answer.ok:
            self._wait_patiently(lambda: running.is_gone, seconds_until(deadline))
            return
        # One that runs beside its server may be ended with it before it can tell that it was obeyed.
        self._wait_patiently(lambda: running.is_gone, min(self._told_late, grace))
        if not running.is_gone:
            self._journal.note(f"the stop command failed ({answer.detail}); SIGTERM instead", running.name)

    def _wait_patiently(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait until `condition` holds, so long at most, or until somebody is in a hurry."""
        deadline = time.monotonic() + seconds
        while not condition() and seconds_until(deadline) and not self._control.is_urgent:
            self._wait_change(condition, min(POLL_SECONDS, seconds_until(deadline)))

    def _own(self, handle: Handle) -> R:
        if not isinstance(handle, self._kind):
            msg = f"not a step of this backend: {handle!r}"
            raise TypeError(msg)
        return handle  # type: ignore[return-value]


__all__ = ["AttendedSession", "seconds_until", "warden_seconds"]
