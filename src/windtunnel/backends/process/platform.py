"""This machine as a platform: each unit is a process tree below one warden."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from windtunnel.backends.artifacts import remove_tree
from windtunnel.backends.base import Launch, RunContext, warden_seconds
from windtunnel.backends.inputs import place_files
from windtunnel.backends.notifier import seconds_until
from windtunnel.backends.platform import Fetch, Task
from windtunnel.backends.process.executables import Programs
from windtunnel.backends.process.inputs import SharedInputs
from windtunnel.backends.process.ports import choose_port
from windtunnel.backends.process.requirements import find_interpreter
from windtunnel.backends.process.sites import processes_of, site_of
from windtunnel.backends.process.task import ProcessTask
from windtunnel.backends.process.warden_client import Child, WardenClient
from windtunnel.backends.python_environments import Environments, Interpreter, KeptEnvironment
from windtunnel.backends.tracing import RAW, find_strace, traced_command
from windtunnel.backends.unit import Environment, Site, Unit
from windtunnel.errors import PlatformError
from windtunnel.plan import InputFile, Job, Service

TERMINATE_AGAIN_SECONDS = 0.2
KILL_SECONDS = 5.0
KILL_AGAIN_SECONDS = 0.5


class ProcessPlatform:
    """One run's processes, all of them below one warden."""

    kind = "process"
    archive = None
    latency = 0.1

    def __init__(self, context: RunContext) -> None:
        self._context, self._folder, self._journal = context, context.folder, context.journal
        self._strace = find_strace(context.plan)
        seconds = warden_seconds(context.plan, context.control.timeout)
        self._errors = self._folder.path / "logs" / "warden.log"
        self._warden = WardenClient(context.notifier, self._folder.run_id, seconds, self._errors)
        self._work = self._folder.path / "work"
        self._work.mkdir(exist_ok=True)
        self._inputs = SharedInputs(context.base, context.control)
        self._programs = Programs(self._warden, self._folder.run_id)
        self._environments: dict[str, Path] = {}
        self._created = 0
        self._up: list[Task] = []
        self._stuck: list[tuple[str, Child]] = []
        self._is_closed = False

    def check(self) -> None:
        """Raise PlatformError if the warden is lost."""
        self._warden.check()

    def share(self, inputs: Sequence[InputFile], fetch: Fetch) -> None:
        """Take in inputs; all steps get links to one file each."""
        for item in inputs:
            self._inputs.add(item, *fetch(item))

    def install(self, step: Service | Job) -> tuple[dict[str, str], bool]:
        """Install a step's Python packages into an environment in the user's cache."""
        return Environments(self._context).install(self, step)

    def interpreter(self, step: Service | Job) -> AbstractContextManager[Interpreter]:
        """Return the interpreter of this machine that a step's packages are for, and what it says of itself."""
        return nullcontext(Interpreter(*find_interpreter(self._programs, step), self.start))

    def share_environment(self, step: Service | Job, kept: KeptEnvironment) -> None:
        """Have a step use an environment where it is."""
        self._environments[step.name] = kept.place

    def environment_of(self, step: Service | Job) -> Environment | None:
        """Return the Python environment of a step that has one."""
        folder = self._environments.get(step.name)
        return Environment(folder, self._programs.environment["PATH"]) if folder else None

    def site(self, launch: Launch[Any]) -> Site:
        """Return a step's address on this machine, and its folders below the run's."""
        return site_of(self._folder.path, launch.label, choose_port(launch.step), processes_of(launch))

    def start(self, units: Sequence[Unit]) -> Sequence[Task]:
        """Start the units of a step: one, but for a job of several members."""
        started: list[Task] = []
        try:
            started.extend(map(self._start, units))
        except BaseException:
            for task in started:
                self.stop([task], 0)
                task.remove()
            raise
        return started

    def _start(self, unit: Unit) -> Task:
        step = unit.step
        for problem in self._inputs.restore():
            self._journal.doubt(problem, step.name, unit.iteration)
        work = Path(unit.site.work)
        with _writing(step.name):
            # A step may have taken away the folder that theirs are in.
            work.mkdir(parents=True)
            Path(unit.site.out).mkdir(parents=True)
            place_files(work, unit.files, self._inputs.paths)
        env = {**self._programs.environment, **unit.env}
        log = unit.log(self._folder)
        argv = self._traced(unit, work, env) if unit.program.trace else list(unit.argv)
        child = self._programs.spawn(argv, step.name, work, env, log)
        task = ProcessTask(unit, log, child, env, self._context, self._programs, self._end)
        self._created += 1
        self._up.append(task)
        if isinstance(step, Job):
            self._doubt_beside_stuck(unit)
        return task

    def _traced(self, unit: Unit, work: Path, env: dict[str, str]) -> list[str]:
        """Return a command that runs the unit's and records its system calls."""
        # strace would fail in its place, and in its own words.
        program = self._programs.check_runnable(unit.argv[0], unit.step.name, work, env)
        record = Path(unit.site.out).with_name(RAW)
        return traced_command([str(self._strace)], record, [program, *unit.argv[1:]])

    def _doubt_beside_stuck(self, unit: Unit) -> None:
        for other in [label for label, child in self._stuck if not child.gone]:
            message = f"{unit.label} was measured beside what {other} left, which could not be ended"
            self._journal.doubt(message, unit.step.name, unit.iteration)

    def stop(self, tasks: Sequence[Task], grace: float) -> None:
        """End process trees, and tell which inputs were changed while they ran."""
        for task in tasks:
            if isinstance(task, ProcessTask):
                task.await_tracer()
                self._end(task.child, grace, task.unit.label)
                self._check_inputs(task)

    def _end(self, child: Child, grace: float, label: str) -> None:
        """SIGTERM, and again to what a dying parent leaves; SIGKILL after `grace` seconds.

        What outlives that is told as `label`'s, and so is what is measured beside it.
        """
        control = self._context.control
        deadline = time.monotonic() + grace
        try:
            while not child.gone and seconds_until(deadline) and control.grace_left:
                self._warden.terminate(child)
                self._warden.wait_gone(child, min(TERMINATE_AGAIN_SECONDS, seconds_until(deadline)))
            deadline = time.monotonic() + KILL_SECONDS
            while not child.gone:
                self._warden.kill(child)
                self._warden.wait_gone(child, KILL_AGAIN_SECONDS)
                if control.is_urgent or not seconds_until(deadline):
                    break
        except PlatformError:
            if not child.gone:
                raise
        if not child.gone:
            self._stuck.append((label, child))
            self._journal.note(f"what {label} left could not be ended; it is tried again at the end of the run")

    def _check_inputs(self, task: Task) -> None:
        """Tell which inputs were changed while a step ran that has ended: by it, or by what is still up."""
        if task in self._up:
            self._up.remove(task)
        control = self._context.control
        if control.is_cancelled or control.is_over:
            return  # nothing is started any more
        name, iteration = task.unit.step.name, task.unit.iteration
        others = [other.unit.step.name for other in self._up]
        by = " or ".join([name, *others]) + (f" in iteration {iteration}" if iteration else "")
        for path in self._inputs.find_changed(by):
            message = f"input {path} was changed by {by}"
            if others:
                self._journal.doubt(f"{message}, while others had it", name, iteration)
            else:
                self._journal.note(f"{message}; the next start has the original again", name, iteration)

    def facts(self) -> dict[str, Any]:
        """Return nothing: the platform is this machine."""
        return {}

    def left(self) -> list[str]:
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
        if not self._warden.close(lambda: self._context.control.is_urgent):
            return
        if problem := remove_tree(self._work):
            self._journal.note(f"the run's working folder cannot be removed: {problem}")
        if self._errors.exists() and not self._errors.stat().st_size:
            self._errors.unlink()


@contextmanager
def _writing(step: str) -> Iterator[None]:
    """Turn the reason why a step's folders and files cannot be made into a PlatformError."""
    try:
        yield
    except OSError as error:
        message = f"{step}: its folders cannot be made: {error.filename}: {error.strerror}"
        raise PlatformError(message, code="store_failed", step=step) from None
