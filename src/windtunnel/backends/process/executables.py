"""Programs of this machine: found by a step's PATH, and started below the run's warden."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from windtunnel.backends.process.run_marker import RUN_VARIABLE
from windtunnel.backends.process.warden_client import Child, WardenClient
from windtunnel.errors import PlatformError


class Programs:
    """Starts the programs of one run.

    Args:
        warden: What they are started below.
        run_id: The mark that all of them carry in their environment.

    Attributes:
        environment: What all steps have in their environment.
    """

    def __init__(self, warden: WardenClient, run_id: str) -> None:
        self._warden = warden
        self._found: dict[tuple[str, str], str | None] = {}
        # The interpreter's own folder first: what is installed beside Windtunnel is found.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        self.environment = {**os.environ, "PATH": path, RUN_VARIABLE: run_id}

    def spawn(self, argv: Sequence[str], step: str, work: Path, env: Mapping[str, str], output: Path) -> Child:
        """Start a command of a step, found by the step's own PATH.

        Raises:
            PlatformError: It does not exist (``command_not_found``) or cannot be run
                (``command_not_runnable``).
        """
        program = self._resolve(argv[0], step, env)
        with _as_platform_error(argv[0], step):
            return self._warden.spawn([program, *argv[1:]], work, env, output)

    def check_runnable(self, program: str, step: str, work: Path, env: Mapping[str, str]) -> str:
        """Return the path of a program that can be run (PlatformError as by `spawn`)."""
        path = self._resolve(program, step, env)
        with _as_platform_error(program, step):
            file = work / path
            if file.is_dir() or not os.access(file, os.X_OK):
                number = errno.EACCES if file.exists() else errno.ENOENT
                raise OSError(number, os.strerror(number))
        return path

    def find(self, program: str, path: str | None = None) -> str | None:
        """Return where a program is that a step finds by a PATH, the common one by default; None if it is nowhere."""
        path = self.environment["PATH"] if path is None else path
        if "/" in program:
            return program
        # Found once a run: looking through PATH costs as much as a tenth of a small step.
        if (program, path) not in self._found:
            self._found[program, path] = shutil.which(program, path=path)
        return self._found[program, path]

    def _resolve(self, program: str, step: str, env: Mapping[str, str]) -> str:
        path = env.get("PATH", os.defpath)
        found = self.find(program, path)
        if found is None:
            message = f"{step}: command not found: {program} (looked in PATH={path})"
            raise PlatformError(message, code="command_not_found", step=step)
        return found


@contextmanager
def _as_platform_error(program: str, step: str) -> Iterator[None]:
    """Turn the reason why a program cannot be started into a PlatformError."""
    try:
        yield
    except FileNotFoundError:
        message, code = f"command not found: {program}", "command_not_found"
    except OSError as error:
        message, code = f"cannot run {program}: {error.strerror}", "command_not_runnable"
    else:
        return
    raise PlatformError(f"{step}: {message}", code=code, step=step)
