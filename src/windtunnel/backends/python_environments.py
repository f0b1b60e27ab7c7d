"""Python environments of steps: pip is a unit that is started, collected and shared, the same on several platforms."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath
from typing import Protocol

from windtunnel.backends.artifacts import remove_tree
from windtunnel.backends.base import Launch, RunContext
from windtunnel.backends.pip import PACKAGES, SCRIPT, elsewhere, failed, kept, key_of, pip_settings, tell
from windtunnel.backends.platform import Platform, Task
from windtunnel.backends.results import OUT
from windtunnel.backends.unit import Site, Unit
from windtunnel.errors import PlatformError
from windtunnel.plan import Job, Service
from windtunnel.run.cache import atomic_write
from windtunnel.run.control import POLL_SECONDS

_NO_COMMAND = {"command_not_found", "command_not_runnable"}
_ARCHIVE, _SCRIPT, _CERTIFICATES = "python.tar", "install.py", "certificates.pem"


class RunsPip(Platform, Protocol):
    """A platform on which pip is a unit like any other."""

    @property
    def python(self) -> PurePath | None:
        """Where every unit finds its Python environment; None if that is where it is kept in the user's cache."""
        ...

    def interpreter(self, step: Service | Job) -> tuple[str, Sequence[str]]:
        """Return the interpreter that a step's packages are for, and what else decides what pip makes.

        Raises:
            PlatformError: There is none (``requirements_failed``).
        """
        ...

    def share_environment(self, step: Service | Job, kept: Path) -> None:
        """Have all starts of a step find its environment.

        Args:
            step: The step.
            kept: The environment in the user's cache: an archive if `python` says where it goes, else its folder.

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
        python, identity = platform.interpreter(step)
        with kept(key_of(step.program, identity), self._context.control) as place:
            archive = place.with_suffix(".tar") if platform.python else None
            packages = place.with_suffix(".json") if archive else place / PACKAGES
            is_kept = packages.is_file() and (archive is None or archive.is_file())
            if not is_kept:
                remove_tree(place)  # what a killed run left
                unit = self._unit(platform, step, python, platform.python or place)
                with self._installed(platform, unit) as task:
                    if archive:
                        self._keep(task, archive)
                        # The archive is whole before that tells it.
                        with atomic_write(packages) as partial:
                            partial.write_bytes(_read_packages(archive))
            platform.share_environment(step, archive or place)
            return json.loads(packages.read_text(encoding="utf-8")), is_kept

    @staticmethod
    def _unit(platform: RunsPip, step: Service | Job, python: str, target: PurePath) -> Unit:
        """Return the unit that runs pip: of the step's image, but neither sealed nor limited."""
        program = replace(
            step.program, isolation="open", trace=False, env={}, files={}, cpu=None, memory=None, gpu=None
        )
        site: Site = platform.site(Launch(Job(name=step.name, program=program), None, {}, installs=True))
        script: PurePath = SCRIPT
        mode, env, files = "alone", dict[str, str](), dict[str, str]()
        if platform.python:
            settings, certificates = elsewhere(pip_settings())
            script, mode = site.work / _SCRIPT, "add"
            env = {**settings, "WINDTUNNEL_ARCHIVE": str(site.out / _ARCHIVE)}
            files = {_SCRIPT: SCRIPT.read_text(encoding="utf-8")}
            if certificates:
                env["PIP_CERT"] = str(site.work / _CERTIFICATES)
                files[_CERTIFICATES] = certificates.decode("ascii", errors="replace")
        argv = (python, "-I", str(script), str(target), mode, *program.requirements)
        return Unit(Job(name=step.name, program=program), None, 1, site, argv, env, files, installs=True)

    @contextmanager
    def _installed(self, platform: RunsPip, unit: Unit) -> Iterator[Task]:
        """Lend the task of a pip that has ended well."""
        step = unit.step
        try:
            (task,) = platform.start([unit])
        except PlatformError as error:
            if error.code not in _NO_COMMAND:
                raise
            raise failed(step, error.message.removeprefix(f"{step.name}: ")) from None
        try:
            notifier, control = self._context.notifier, self._context.control
            while not notifier.wait(lambda: _has_ended(task), POLL_SECONDS):
                platform.check()
                control.check()
            state = task.state
            if state.status is None:
                raise failed(step, f"pip {state.words or 'was killed'}")
            tell(step, task.log, self._folder.log(f"{step.name}.requirements"), state.status)
            yield task
        finally:
            platform.stop([task], 0)
            task.remove()

    def _keep(self, task: Task, archive: Path) -> None:
        """Put what pip made into the cache, where it is whole or not there."""
        step = task.unit.step
        results = self._folder.path / "work" / f"{task.unit.label}.results"
        try:
            if lack := task.collect(results).lack:
                raise failed(step, lack)
            with atomic_write(archive) as partial:
                shutil.move(results / OUT / _ARCHIVE, partial)
        except OSError as error:
            raise failed(step, f"they cannot be kept in {archive.parent}: {error.strerror or error}") from None
        finally:
            remove_tree(results)


def _has_ended(task: Task) -> bool:
    state = task.state
    return state.phase != "running" or state.status is not None


def _read_packages(archive: Path) -> bytes:
    with tarfile.open(archive) as content:
        file = next((entry for entry in content if PurePosixPath(entry.name).parts[1:] == (PACKAGES,)), None)
        found = content.extractfile(file) if file else None
        return found.read() if found else b"{}"
