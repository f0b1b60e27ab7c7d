"""What makes a container a sealed one, its network left out."""

from __future__ import annotations

import json
from typing import Any

from windtunnel.backends.archive import INPUTS
from windtunnel.backends.containers import HOME
from windtunnel.backends.docker.seccomp import profile
from windtunnel.plan import Program

MOST_PROCESSES = 4096
_SCRATCH = ("/tmp", "/var/tmp", "/run")  # noqa: S108 - the container's
_NOWHERE = "127.0.0.1"
"""A name server that is not there: Docker would else ask the machine's for names that it does not know itself."""
_DENIES_VSOCK = (1, 42)
"""The API of Docker 23: since then its own profile refuses ``AF_VSOCK``, and is the better one."""


def host_options(program: Program, version: tuple[int, ...], inputs: str | None) -> dict[str, Any]:
    """Return what a step's isolation adds to its container's ``HostConfig``.

    Args:
        program: The step's program.
        version: That of the daemon's API, such as (1, 41).
        inputs: The volume that holds the run's inputs, if it has any.
    """
    security = ["no-new-privileges"]
    if program.isolation == "open":
        return {"SecurityOpt": security}
    if version < _DENIES_VSOCK:
        security.append(f"seccomp={json.dumps(profile())}")
    mount = {"Type": "volume", "Source": inputs, "Target": str(INPUTS), "ReadOnly": True}
    return {
        "SecurityOpt": security,
        "CapDrop": ["ALL"],
        "ReadonlyRootfs": True,
        "PidsLimit": MOST_PROCESSES,
        "Tmpfs": dict.fromkeys(_SCRATCH, "exec,mode=1777"),
        "Dns": [_NOWHERE],
        "Mounts": [mount] if inputs else [],
    }


def volumes(program: Program) -> list[str]:
    """Return the folders for which a step's container gets volumes, which go with it."""
    # Its root cannot be written, and what is in memory is gone at its end.
    return [str(HOME)] if program.isolation == "sealed" else []
