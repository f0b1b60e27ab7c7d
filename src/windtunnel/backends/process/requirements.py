"""A step's Python packages on the process backend: a virtual environment in the user's cache."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from windtunnel.backends.process.programs import Programs
from windtunnel.backends.process.warden_client import Child
from windtunnel.backends.requirements import (
    ASK_SECONDS,
    PACKAGES,
    SCRIPT,
    failed,
    interpreter,
    kept,
    key_of,
    tell,
)
from windtunnel.plan import Job, Service
from windtunnel.run.control import Control
from windtunnel.run.folder import RunFolder

_ASK = "import sys; print(sys.version, sys.base_prefix, sys.platform)"


@dataclass(frozen=True)
class Installer:
    """Installs what steps need, below the run's warden.

    Attributes:
        programs: Starts pip.
        folder: The run's folder.
        control: Asked while pip runs.
        end: Waits for a child's end, and ends it when the wait is cut short.
    """

    programs: Programs
    folder: RunFolder
    control: Control
    end: Callable[[Child], int]

    def install(self, step: Service | Job) -> tuple[Path, dict[str, str], bool]:
        """Return a step's environment, its packages by name, and whether it was there already.

        Raises:
            PlatformError: There is no Python, or pip failed (``requirements_failed``).
            TimedOut, Cancelled: As the control says.
        """
        python = self.programs.find(interpreter(step.program))
        if python is None:
            raise failed(step, f"command not found: {interpreter(step.program)}")
        with kept(key_of(step.program, [os.path.realpath(python), _describe(step, python)]), self.control) as place:
            is_kept = (place / PACKAGES).is_file()
            if not is_kept:
                shutil.rmtree(place, ignore_errors=True)  # what a killed run left
                self._make(step, python, place)
            return place, json.loads((place / PACKAGES).read_text(encoding="utf-8")), is_kept

    def _make(self, step: Service | Job, python: str, place: Path) -> None:
        # Alone: what the interpreter has may change while this is kept.
        argv = [python, "-I", str(SCRIPT), str(place), "alone", *step.program.requirements]
        work = self.folder.path / "work"
        output = work / f"{step.name}.requirements.log"
        child = self.programs.spawn(argv, step.name, work, self.programs.environment, output)
        tell(step, output, self.folder.log(f"{step.name}.requirements"), self.end(child))


def _describe(step: Service | Job, python: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the step's own interpreter
            [python, "-I", "-c", _ASK], capture_output=True, text=True, timeout=ASK_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise failed(step, f"{python} does not work: {error}") from None
    return done.stdout
