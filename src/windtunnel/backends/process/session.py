"""A run on the process backend: starting, asking, watching and ending processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from windtunnel.backends.artifacts import collect_artifacts, remove_tree
from windtunnel.backends.attended import AttendedSession, seconds_until, warden_seconds
from windtunnel.backends.base import Handle, Launch, RunContext, describe_status
from windtunnel.backends.probes import Answer
from windtunnel.backends.process.inputs import SharedInputs
from windtunnel.backends.process.requirements import Installer
from windtunnel.backends.process.step import Launcher, RunningStep
from windtunnel.backends.process.usage import UsageSampler
from windtunnel.backends.process.warden_client import Child, WardenClient
from windtunnel.backends.tracing import find_strace, keep_trace
from windtunnel.errors import PlatformError
from windtunnel.plan import InputFile, Job, Service
from windtunnel.run.control import POLL_SECONDS
from windtunnel.run.folder import tail
from windtunnel.substitution import substitute

LEFTOVER_GRACE_SECONDS = 1.0
KILL_SECONDS = 5.0
KILL_AGAIN_SECONDS = 0.5
TRACER_SECONDS = 2.0


class ProcessSession(AttendedSession[RunningStep]):
    """One run's processes, all of them below one warden."""

    _kind = RunningStep

    def __init__(self, context: RunContext) -> None:
        super().__init__(context)
        strace = find_strace(context.plan)
        self._created = 0
        errors = self._folder.path / "logs" / "warden.log"
        seconds = warden_seconds(context.plan, context.control.timeout)
        self._warden = WardenClient(self._control, self._folder.run_id, seconds, errors)
        self._shared = SharedInputs(context.base, self._control)
        self._launcher = Launcher(self._folder, self._warden, self._shared.paths, strace)
        self._usage = UsageSampler(self._control, self._journal.add_usage)
        self._up: dict[RunningStep, int | None] = {}
        self._stuck: list[tuple[str, Child]] = []
        self._is_closed = False

    @property
    def _inputs(self) -> dict[str, Path]:
        return self._shared.paths

    def _take_input(self, item: InputFile, path: Path, digest: str) -> None:
        self._shared.add(item, path, digest)

    def _install(self, step: Service | Job) -> tuple[dict[str, str], bool]:
        return Installer(self._launcher, self._folder, self._control, self._wait_for).install(step)

    def _wait_for(self, child: Child) -> int:
        """Return a child's exit status; when the run ends before it, it is ended too."""
        try:
            while not self._wait_change(lambda: child.status is not None, POLL_SECONDS):
                self._check_platform()
                self._control.check()
        finally:
            self._end(child, 0, "the installation of requirements")
        return child.status or 0

    def start_service(self, launch: Launch[Service]) -> RunningStep:
        """Start a service."""
        return self._start(launch)

    def start_job(self, launch: Launch[Job]) -> RunningStep:
        """Start one iteration of a job."""
        return self._start(launch)

    def _start(self, launch: Launch[Service] | Launch[Job]) -> RunningStep:
        for problem in self._shared.restore():
            self._journal.doubt(problem, launch.step.name, launch.iteration)
        running = self._launcher.start(launch)
        self._created += 1
        self._up[running] = launch.iteration
        self._usage.add(running.name, running.child.keeper)
        if isinstance(launch.step, Job):
            for other in [label for label, child in self._stuck if not child.gone]:
                message = f"{running.label} was measured beside what {other} left, which could not be ended"
                self._journal.doubt(message, running.name, launch.iteration)
        return running

    def until_ready(self, handle: Handle, others: Sequence[Handle]) -> None:
        """Ask the readiness probe again and again, first every 10 ms."""
        super().until_ready(handle, others)
        running = self._own(handle)
        if running.is_daemon:
            self._journal.note(
                "went to the background; in a container it would end: run it in the foreground", running.name
            )

    def _wait_change(self, condition: Callable[[], bool], seconds: float) -> bool:
        return self._warden.wait_change(condition, seconds)

    def _check_platform(self) -> None:
        self._warden.check()

    def _run_beside(self, running: RunningStep, command: tuple[str, ...], seconds: float) -> Answer:
        output = running.work.with_name(f"{running.label}.{threading.get_ident()}.command.log")
        output.unlink(missing_ok=True)
        argv = [substitute(word, running.values) for word in command]
        child = self._launcher.spawn(argv, running.name, running.work, running.env, output)
        self._wait_patiently(lambda: child.status is not None, seconds)
        is_late = child.status is None
        if is_late or child.left:
            self._end(child, 0, f"a command beside {running.label}")
        if is_late:
            return Answer(ok=False, detail=f"no answer within {seconds:.3g} s", is_late=True)
        last = tail(output, 1)
        detail = describe_status(child.status or 0) + (f": {last[0]}" if last else "")
        return Answer(ok=child.status == 0, detail=detail)

    def _finish(self, running: RunningStep, grace: float) -> None:
        child = running.child
        if running.trace and child.status is not None:
            # The tracer sees a command's end first, and is a process that is left only for a moment.
            self._wait_patiently(lambda: child.gone, TRACER_SECONDS)
        if child.left and not child.gone and isinstance(running.step, Job):
            self._journal.note("left processes behind; they are ended", running.name)
            grace = LEFTOVER_GRACE_SECONDS
        self._end(child, grace, running.label)
        self._usage.remove(child.keeper, child.cpu, child.waited, child.memory)
        self._collect(running)
        self._check_inputs(running)

    def _check_inputs(self, running: RunningStep) -> None:
        """Tell which inputs were changed while a step ran that has ended: by it, or by what is still up."""
        iteration = self._up.pop(running, None)
        if self._control.is_cancelled or self._control.is_over:
            return  # nothing is started any more
        others = [other.name for other in self._up]
        by = " or ".join([running.name, *others]) + (f" in iteration {iteration}" if iteration else "")
        for path in self._shared.find_changed(by):
            message = f"input {path} was changed by {by}"
            if others:
                self._journal.doubt(f"{message}, while others had it", running.name, iteration)
            else:
                self._journal.note(f"{message}; the next start has the original again", running.name, iteration)

    def _end(self, child: Child, grace: float, label: str) -> None:
        """SIGTERM, and again to what a dying parent leaves; SIGKILL after `grace` seconds.

        What outlives that is told as `label`'s, and so is what is measured beside it.
        """
        deadline = time.monotonic() + grace
        try:
            while not child.gone and seconds_until(deadline) and not self._control.is_urgent:
                self._warden.terminate(child)
                self._warden.wait_gone(child, min(0.2, seconds_until(deadline)))
            deadline = time.monotonic() + KILL_SECONDS
            while not child.gone:
                self._warden.kill(child)
                self._warden.wait_gone(child, KILL_AGAIN_SECONDS)
                if self._control.is_urgent or not seconds_until(deadline):
                    break
        except PlatformError:
            if not child.gone:
                raise
        if not child.gone:
            self._stuck.append((label, child))
            self._journal.note(f"what {label} left could not be ended; it is tried again at the end of the run")

    def _collect(self, running: RunningStep) -> None:
        globs = running.step.artifacts if isinstance(running.step, Job) else ("**",)
        tell = partial(self._journal.note, step=running.name)
        collect_artifacts(running.out, globs, self._folder.path / "artifacts" / running.label, tell)
        if running.trace:
            folder = self._folder.path / "artifacts" / running.label
            self._folder.redaction.mask(running.trace)  # once it is compressed, nothing is found in it
            keep_trace(running.trace, folder, running.name, lambda: self._control.is_urgent)
        for folder in (running.work, running.out):
            if problem := remove_tree(folder):
                tell(f"what it left on disk cannot be removed: {problem}")

    def environment(self) -> dict[str, Any]:
        """Return nothing: the platform is this machine."""
        return {}

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
        if not self._warden.close(lambda: self._control.is_urgent):
            return
        if problem := remove_tree(self._folder.path / "work"):
            self._journal.note(f"the run's working folder cannot be removed: {problem}")
        errors = self._folder.path / "logs" / "warden.log"
        if errors.exists() and not errors.stat().st_size:
            errors.unlink()
