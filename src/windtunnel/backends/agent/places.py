"""What the driver and the programs in the pods agree on: folders, the port, tokens."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from pathlib import Path

HOME = Path("/windtunnel")
"""Where a step's folders are, in its own pod."""
RESULTS = HOME / "results"
WORK = HOME / "work"
PYTHON = HOME / "python"
"""Where a step finds its Python environment, if it has one; beside a step, a folder for each container."""
FILES = HOME / "files"
"""Beside a step, what is to be put into its working folder; a folder for each container."""
SCRIPTS = Path("/opt/windtunnel-scripts")
"""Where these files are."""
HUB = Path("/hub")
CLAIM = Path("/claim")
"""Where the volume claim is that a run is stored in."""
KEY = Path("/key/key")
"""The run's secret, which only the warden has."""
ARGUMENTS = Path("/windtunnel-arguments")
"""Where the agent's programs in a pod find what they are called with, a JSON list each: it has tokens."""
INPUTS = Path("/inputs")
"""Where a pod's inputs are put, for its steps' containers to mount."""
PORT = 8347
TOKEN_HEADER = "X-Windtunnel-Token"  # noqa: S105 - its name
TIME_HEADER = "X-Windtunnel-Time"
"""In which the hub tells the time of its clock, in seconds since the epoch."""


def arguments() -> list[str]:
    """Return what this program is called with: what stands in ``@FILE``, where that is not for all to see."""
    words = sys.argv[1:]
    if words[0].startswith("@"):
        words = json.loads(Path(words[0][1:]).read_text(encoding="utf-8"))
    return words


def token_for(key: bytes, path: str) -> str:
    """Return what lets its bearer use one path of the hub, and no other (RFC 2104)."""
    return hmac.new(key, path.encode(), hashlib.sha256).hexdigest()


def input_file(name: str) -> Path:
    """Return where the hub keeps an input."""
    return HUB / "inputs" / name


def result_file(name: str) -> Path:
    """Return where the hub keeps what a step wrote, as an archive."""
    return HUB / "results" / (name + ".tar")


def usage_file(name: str) -> Path:
    """Return where the hub keeps what a pod's containers use, a line of JSON for each sample."""
    return HUB / "usage" / name
