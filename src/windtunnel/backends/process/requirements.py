"""Which interpreter of this machine a step's Python packages are for."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from windtunnel.backends.pip import ASK_SECONDS, failed, interpreter
from windtunnel.backends.process.executables import Programs
from windtunnel.plan import Job, Service

_ASK = "import sys; print(sys.version, sys.base_prefix, sys.platform)"


def find_interpreter(programs: Programs, step: Service | Job) -> tuple[str, Sequence[str]]:
    """Return a step's interpreter, and where it really is with what it says of itself.

    Raises:
        PlatformError: There is none, or it does not work (``requirements_failed``).
    """
    python = programs.find(interpreter(step.program))
    if python is None:
        raise failed(step, f"command not found: {interpreter(step.program)}")
    try:
        done = subprocess.run(  # noqa: S603 - the step's own interpreter
            [python, "-I", "-c", _ASK], capture_output=True, text=True, timeout=ASK_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise failed(step, f"{python} does not work: {error}") from None
    return python, [os.path.realpath(python), done.stdout]
