"""The strace of this machine, for containers: copied into them, since their images have none.

It goes with its own C library and loader, so that it runs whatever the image holds.
"""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from windtunnel.backends.archive import TOOLS
from windtunnel.errors import PlatformError

_LIBRARY = re.compile(r"^\s*(?:(?P<name>\S+) => )?(?P<path>/\S+) \(0x", re.MULTILINE)
LIST_SECONDS = 10.0


@dataclass(frozen=True)
class Tracer:
    """What a container needs to trace its command.

    Attributes:
        command: How strace is run there.
        files: What it consists of: name to where it lies here.
    """

    command: tuple[str, ...]
    files: Mapping[str, Path]


def pack_tracer(strace: Path, architecture: str) -> Tracer:
    """Return what makes strace run in a container.

    Args:
        strace: Where it lies here.
        architecture: That of the daemon's machine, as it calls it.

    Raises:
        PlatformError: It does not run there (``strace_unfit``).
    """
    if architecture != platform.machine():
        raise PlatformError(
            f"trace = true takes strace from this machine ({platform.machine()}), and the daemon's is {architecture}",
            code="strace_unfit",
        )
    # For a static one ldd says so, and fails.
    listed = subprocess.run(["ldd", strace], capture_output=True, text=True, timeout=LIST_SECONDS, check=False)  # noqa: S603, S607 - of the system
    libraries = {match["name"]: Path(match["path"]) for match in _LIBRARY.finditer(listed.stdout)}
    loader = libraries.pop(None, None)
    program = str(TOOLS / strace.name)
    if loader is None:
        return Tracer((program,), {strace.name: strace})
    files = {strace.name: strace, loader.name: loader, **libraries}
    return Tracer((str(TOOLS / loader.name), "--library-path", str(TOOLS), program), files)
