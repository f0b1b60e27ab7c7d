"""Python environments of steps: pip is a unit that is started, collected and shared, the same on all platforms."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any, Protocol

from windtunnel.backends.artifacts import remove_tree
from windtunnel.backends.base import Launch, RunContext
from windtunnel.backends.containers import PYTHON
from windtunnel.backends.pip import PACKAGES, SCRIPT, elsewhere, failed, interpreter, kept, key_of, pip_settings, tell
from windtunnel.backends.platform import Platform, Task
from windtunnel.backends.results import OUT
from windtunnel.backends.unit import Site, Unit
from windtunnel.errors import Cancelled, PlatformError, TimedOut
from windtunnel.plan import Job, Service
from windtunnel.run.cache import atomic_write
from windtunnel.run.control import POLL_SECONDS

_NO_COMMAND = {"command_not_found", "command_not_runnable"}
_SCRIPT, _CERTIFICATES = "install.py", "certificates.pem"


@dataclass(frozen=True)
class Interpreter:
    """The interpreter that a step's packages are for.

    Attributes:
        command: How it is called.
        identity: What decides, beside the requirements, what pip makes: which interpreter it is, and of which image.
        start: Starts units where it is, as the platform's own `start` does elsewhere.
    """

    command: str
    identity: Sequence[str]
    start: Callable[[Sequence[Unit]], Sequence[Task]]


@dataclass(frozen=True)
class KeptEnvironment:
    """An environment in the user's cache.

    Attributes:
        place: Its archive, if the platform has it in one, else its folder.
        path: The ``PATH`` that pip had.
    """

    place: Path
    path: str


class RunsPip(Platform, Protocol):
    """A platform on which pip is a unit like any other."""

    @property
    def archive(self) -> str | None:
        """How the name of an environment's archive ends; None if an environment is used where it is kept."""
        ...

    def interpreter(self, step: Service | Job) -> AbstractContextManager[Interpreter]:
        """Lend the interpreter that a step's packages are for, and end what was started for it.

        Raises:
            PlatformError: There is none (``requirements_failed``, or a code of a missing command).
            TimedOut, Cancelled: As the run's control says.
        """
        ...

    def share_environment(self, step: Service | Job, kept: KeptEnvironment) -> None:
        """Have all starts of a step find its environment.

        Raises:
            PlatformError: The platform cannot.
        """
        ...


class Environments:
    """Installs what steps need, or takes it from the user's cache.

    Args:
        context: The run.
    """

    def __init__(self, context: RunContext) -> None:
        self._context, self._folder = context, context.folder

    def install(self, platform: RunsPip, step: Service | Job) -> tuple[dict[str, str], bool]:
        """Return the packages of a step's environment, by name, and whether they were there already.

        Raises:
            PlatformError: There is no Python or no pip, or pip failed (``requirements_failed``).
            TimedOut, Cancelled: As the run's control says.
        """
        with (
            _installing(step),
            platform.interpreter(step) as python,
            kept(key_of(step.program, python.identity), self._context.control) as place,
        ):
            archive = place.with_suffix(platform.archive) if platform.archive else None
            made = place.with_suffix(".json") if archive else place / PACKAGES
            told = _read_kept(made, archive)
            is_kept = told is not None
            if told is None:
                remove_tree(place)  # what a killed run left
                with self._installed(platform, python, self._unit(platform, step, python, place)) as task:
                    if archive:
                        self._keep(task, archive)
                        told = _read_packages(archive) | {"bytes": archive.stat().st_size}
                        # The archive is whole before that tells it.
                        with atomic_write(made) as partial:
                            partial.write_text(json.dumps(told), encoding="utf-8")
                    else:
                        told = json.loads(made.read_text(encoding="utf-8"))
            platform.share_environment(step, KeptEnvironment(archive or place, told["path"]))
            return told["packages"], is_kept

    @staticmethod
    def _unit(platform: RunsPip, step: Service | Job, python: Interpreter, place: Path) -> Unit:
        """Return the unit that runs pip."""
        job, site = pip_job(platform, step)
        script: PurePath = SCRIPT
        target: PurePath = place
        mode, env, files = "alone", dict[str, str](), dict[str, str]()
        if platform.archive:
            settings, certificates = elsewhere(pip_settings())
            script, target, mode = site.work / _SCRIPT, PYTHON, "add"
            env = {**settings, "WINDTUNNEL_ARCHIVE": str(site.out / f"{PYTHON.name}{platform.archive}")}
            files = {_SCRIPT: SCRIPT.read_text(encoding="utf-8")}
            if certificates:
                env["PIP_CERT"] = str(site.work / _CERTIFICATES)
                files[_CERTIFICATES] = certificates.decode("ascii", errors="replace")
        argv = (python.command, "-I", str(script), str(target), mode, *step.program.requirements)
        return Unit(job, None, 1, site, argv, env, files, installs=True)

    @contextmanager
    def _installed(self, platform: RunsPip, python: Interpreter, unit: Unit) -> Iterator[Task]:
        """Lend the task of a pip that has ended well."""
        step = unit.step
        (task,) = python.start([unit])
        try:
            try:
                notifier, control = self._context.notifier, self._context.control
                while not notifier.wait(lambda: _has_ended(task), POLL_SECONDS):
                    platform.check()
                    control.check()
                state = task.state
            finally:
                platform.stop([task], 0)
            if state.status is None:
                raise failed(step, f"pip's {platform.kind} {state.words or 'was killed'}")
            tell(step, task.log, self._folder.log(f"{step.name}.requirements"), state.status)
            yield task
        finally:
            task.remove()

    def _keep(self, task: Task, archive: Path) -> None:
        """Put what pip made into the cache, where it is whole or not there."""
        step = task.unit.step
        results = self._folder.path / "work" / f"{task.unit.label}.results"
        try:
            if lack := task.collect(results).lack:
                raise failed(step, lack)
            self._context.control.check()  # of what is fetched in a hurry, a part may have come
            with atomic_write(archive) as partial:
                shutil.move(results / OUT / f"{PYTHON.name}{archive.suffix}", partial)
        except OSError as error:
            raise failed(step, f"they cannot be kept in {archive.parent}: {error.strerror or error}") from None
        finally:
            remove_tree(results)


def pip_job(platform: Platform, step: Service | Job) -> tuple[Job, Site]:
    """Return a step that runs pip for another, of the same image but neither sealed nor limited, and where it is."""
    plain = replace(step.program, command=(interpreter(step.program),), isolation="open", trace=False)
    job = Job(name=step.name, program=replace(plain, env={}, files={}, cpu=None, memory=None, gpu=None))
    return job, platform.site(Launch(job, None, {}, installs=True))


@contextmanager
def _installing(step: Service | Job) -> Iterator[None]:
    """Name the step in which a deadline or a cancel came, and tell why an interpreter is needed that is not there."""
    try:
        yield
    except (TimedOut, Cancelled) as error:
        error.step = error.step or step.name
        raise
    except PlatformError as error:
        if error.code not in _NO_COMMAND:
            raise
        raise failed(step, error.message.removeprefix(f"{step.name}: ")) from None


def _has_ended(task: Task) -> bool:
    state = task.state
    return state.phase != "running" or state.status is not None


def _read_kept(made: Path, archive: Path | None) -> dict[str, Any] | None:
    """Return what is told of an environment in the cache; None unless all of it is there.

    After a crash of the machine, or on a full disk, there may be half a file.
    """
    try:
        told = dict(json.loads(made.read_bytes()))
        is_whole = archive is None or archive.stat().st_size == told.get("bytes")
    except (OSError, ValueError):
        return None
    return told if is_whole else None


def _read_packages(archive: Path) -> dict[str, Any]:
    with tarfile.open(archive) as content:
        file = content.extractfile(f"{PYTHON.name}/{PACKAGES}")
        return dict(json.loads(file.read() if file else "{}"))
