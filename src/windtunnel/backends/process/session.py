"""A run on the process backend: starting, asking, watching and ending processes."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from windtunnel.backends.base import Handle, Launch, RunContext, describe_status
from windtunnel.backends.inputs import collect_artifacts, fetch_input
from windtunnel.backends.probes import Answer, ask, describe
from windtunnel.backends.process.step import Launcher, RunningStep, seconds_until
from windtunnel.backends.process.usage import UsageSampler
from windtunnel.backends.process.warden_client import Child, WardenClient
from windtunnel.errors import InvalidResult, PlatformError
from windtunnel.plan import InputFile, Job, Liveness, Probe, Service
from windtunnel.run.control import POLL_SECONDS
from windtunnel.run.events import EventType
from windtunnel.run.folder import tail
from windtunnel.substitution import substitute

WARDEN_MARGIN_SECONDS = 60.0
JOB_GRACE_SECONDS = 5.0
LEFTOVER_GRACE_SECONDS = 1.0
KILL_SECONDS = 5.0
SETTLE_SECONDS = 0.1
PROBE_SECONDS = 1.0
FIRST_INTERVAL, LAST_INTERVAL, INTERVAL_GROWTH = 0.01, 0.25, 0.02


class ProcessSession:
    """One run's processes, all of them below one warden."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._folder, self._journal, self._control = context.folder, context.journal, context.control
        self._created = 0
        # A stop command and SIGTERM have a grace each.
        graces = sum(2 * step.grace for step in context.plan.steps if isinstance(step, Service))
        seconds = context.control.timeout + graces + WARDEN_MARGIN_SECONDS
        errors = self._folder.path / "logs" / "warden.log"
        self._warden = WardenClient(self._folder.run_id, seconds, errors)
        self._launcher = Launcher(self._folder, self._warden)
        self._usage = UsageSampler(self._journal.add_usage)
        self._is_closed = False

    def fetch(self, inputs: Sequence[InputFile]) -> None:
        """Fetch and verify the inputs, through the user's cache."""
        folder = self._folder.path / "work" / "inputs"
        for number, item in enumerate(inputs):
            # A copy of the run's own: what a step writes to it reaches neither the original nor the cache.
            path, digest = fetch_input(item, self._context.base, self._control, folder / str(number))
            self._launcher.inputs[item.path] = path
            self._journal.emit(EventType.INPUT_FETCHED, message=item.src, path=str(path), sha256=digest)

    def start_service(self, launch: Launch[Service]) -> RunningStep:
        """Start a service."""
        return self._start(launch)

    def start_job(self, launch: Launch[Job]) -> RunningStep:
        """Start one iteration of a job."""
        return self._start(launch)

    def _start(self, launch: Launch[Service] | Launch[Job]) -> RunningStep:
        running = self._launcher.start(launch)
        self._created += 1
        self._usage.add(running.name, running.child.keeper)
        return running

    def until_ready(self, handle: Handle, others: Sequence[Handle]) -> None:
        """Ask the readiness probe again and again, first every 10 ms."""
        running, watched = self._own(handle), [self._own(other) for other in others]
        service = running.service
        began = time.monotonic()
        deadline = began + service.ready.within
        patience = PROBE_SECONDS
        while True:
            self._check_before_ready(running)
            self._check(watched)
            answer = self._ask(running, service.ready.probe, min(patience, max(0.05, seconds_until(deadline))))
            if answer.ok:
                break
            # An answer may be slow to come, and one that never comes must not use up all the time.
            patience *= 2 if answer.is_late else 1
            if time.monotonic() >= deadline:
                question = describe(service.ready.probe, running.address)
                raise PlatformError(
                    f"{service.name} was not ready within {service.ready.within:g} s: {question}: {answer.detail}",
                    code="not_ready",
                    step=service.name,
                    log_tail=tail(running.log),
                )
            interval = min(max(FIRST_INTERVAL, INTERVAL_GROWTH * (time.monotonic() - began)), LAST_INTERVAL)
            self._warden.wait_change(lambda: running.has_ended, interval)
        self._check_before_ready(running)
        if running.is_daemon:
            self._journal.note(
                "went to the background; in a container it would end: run it in the foreground", service.name
            )
        if service.live:
            watcher = threading.Thread(target=self._watch_live, args=(running, service.live), daemon=True)
            watcher.start()

    def _check_before_ready(self, running: RunningStep) -> None:
        if running.has_ended:
            self._warden.check()
            raise PlatformError(
                f"{running.name} {describe_status(running.child.status or 0)} before it was ready",
                code="exited_before_ready",
                step=running.name,
                log_tail=tail(running.log),
            )

    def wait(self, job: Handle, services: Sequence[Handle]) -> int:
        """Wait for the job's end while the services live."""
        running, watched = self._own(job), [self._own(service) for service in services]
        child = running.child

        def something_happened() -> bool:
            return child.status is not None or child.gone or any(s.has_ended or s.death for s in watched)

        while not self._warden.wait_change(something_happened, POLL_SECONDS):
            self._control.check()
        if child.status:
            # A client fails because its server died: give that death a moment to be heard.
            self._warden.wait_change(lambda: any(s.has_ended or s.death for s in watched), SETTLE_SECONDS)
        self._check(watched)
        return child.status if child.status is not None else -signal.SIGKILL

    def check(self, services: Sequence[Handle]) -> None:
        """Raise what ended the run: the control's word, or a service's death."""
        self._check([self._own(service) for service in services])

    def _check(self, services: Sequence[RunningStep]) -> None:
        self._warden.check()
        self._control.check()
        for running in services:
            if running.death:
                raise running.death
            if running.has_ended:
                status = describe_status(running.child.status or 0)
                raise InvalidResult(
                    f"{running.name} {status} while it was needed",
                    code="server_died",
                    step=running.name,
                    log_tail=tail(running.log),
                )

    def _watch_live(self, running: RunningStep, live: Liveness) -> None:
        misses = 0
        while not self._warden.wait_change(lambda: running.is_stopped or running.has_ended, live.every):
            try:
                answer = self._ask(running, live.probe, live.timeout)
            except PlatformError as error:
                answer = Answer(ok=False, detail=error.message)
            misses = 0 if answer.ok else misses + 1
            if misses >= live.failures and not running.is_stopped:
                question = describe(live.probe, running.address)
                running.death = InvalidResult(
                    f"{running.name} failed its liveness probe {misses} times in a row: {question}: {answer.detail}",
                    code="liveness_failed",
                    step=running.name,
                    log_tail=tail(running.log),
                )
                return

    def _ask(self, running: RunningStep, probe: Probe, timeout: float) -> Answer:
        return ask(probe, running.address, running.log, lambda c, t: self._run_beside(running, c, t), timeout)

    def _run_beside(self, running: RunningStep, command: tuple[str, ...], seconds: float) -> Answer:
        """Run a command of a step (a probe, a stop command) in its folder and environment."""
        output = running.work.with_name(f"{running.label}.{threading.get_ident()}.command.log")
        output.unlink(missing_ok=True)
        argv = [substitute(word, running.values) for word in command]
        child = self._launcher.spawn(argv, running.name, running.work, running.env, output)
        self._wait_patiently(lambda: child.status is not None, seconds)
        is_late = child.status is None
        if is_late or child.left:
            self._end(child, 0)
        if is_late:
            return Answer(ok=False, detail=f"no answer within {seconds:.3g} s", is_late=True)
        last = tail(output, 1)
        detail = describe_status(child.status or 0) + (f": {last[0]}" if last else "")
        return Answer(ok=child.status == 0, detail=detail)

    def stop(self, handle: Handle) -> None:
        """End a step's processes (stop command, SIGTERM, SIGKILL), keep its artifacts."""
        running = self._own(handle)
        if running.is_stopped:
            return
        running.is_stopped = True
        step = running.step
        grace = step.grace if isinstance(step, Service) else JOB_GRACE_SECONDS
        if isinstance(step, Service) and step.stop and not running.child.gone:
            self._run_stop_command(running, step.stop, grace)
        if running.child.left and not running.child.gone and isinstance(step, Job):
            self._journal.note("left processes behind; they are ended", running.name)
            grace = LEFTOVER_GRACE_SECONDS
        self._end(running.child, grace)
        child = running.child
        self._usage.remove(child.keeper, child.cpu, child.waited, child.memory)
        self._collect(running)

    def _run_stop_command(self, running: RunningStep, command: tuple[str, ...], grace: float) -> None:
        deadline = time.monotonic() + (0 if self._control.is_urgent else grace)
        try:
            answer = self._run_beside(running, command, seconds_until(deadline))
        except PlatformError as error:
            answer = Answer(ok=False, detail=error.message)
        if not answer.ok:
            self._journal.note(f"the stop command failed ({answer.detail}); SIGTERM instead", running.name)
        else:
            self._wait_patiently(lambda: running.child.gone, seconds_until(deadline))

    def _wait_patiently(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait until `condition` holds, so long at most, or until somebody is in a hurry."""
        deadline = time.monotonic() + seconds
        while not condition() and seconds_until(deadline) and not self._control.is_urgent:
            self._warden.wait_change(condition, min(POLL_SECONDS, seconds_until(deadline)))

    def _end(self, child: Child, grace: float) -> None:
        """SIGTERM, and again to what a dying parent leaves; SIGKILL after `grace` seconds."""
        deadline = time.monotonic() + grace
        try:
            while not child.gone and seconds_until(deadline) and not self._control.is_urgent:
                self._warden.terminate(child)
                self._warden.wait_gone(child, min(0.2, seconds_until(deadline)))
            for _attempt in range(int(KILL_SECONDS)):
                if child.gone:
                    return
                self._warden.kill(child)
                self._warden.wait_gone(child, 1)
        except PlatformError:
            if not child.gone:
                raise

    def _collect(self, running: RunningStep) -> None:
        globs = running.step.artifacts if isinstance(running.step, Job) else ("**",)
        collect_artifacts(running.out, globs, self._folder.path / "artifacts" / running.label)
        for folder in (running.work, running.out):
            _remove(folder)

    def survivors(self) -> list[str]:
        """Return the processes that still run below the warden."""
        return [f"{name} (process {pid})" for pid, name in self._warden.processes()]

    def created(self) -> int:
        """Return how many steps were started."""
        return self._created

    def close(self) -> None:
        """End the warden and everything below it."""
        if self._is_closed:
            return
        self._is_closed = True
        self._usage.close()
        if not self._warden.close():
            return
        shutil.rmtree(self._folder.path / "work", ignore_errors=True)
        errors = self._folder.path / "logs" / "warden.log"
        if errors.exists() and not errors.stat().st_size:
            errors.unlink()

    @staticmethod
    def _own(handle: Handle) -> RunningStep:
        if not isinstance(handle, RunningStep):
            msg = f"not a step of the process backend: {handle!r}"
            raise TypeError(msg)
        return handle


def _remove(folder: Path) -> None:
    try:
        folder.rmdir()  # mostly it is empty, and looking first takes longer
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
