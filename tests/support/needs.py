"""What a test needs of the machine: skipped with the reason where it lacks, failed where it is required."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

_REQUIRED = {part for part in os.environ.get("WINDTUNNEL_REQUIRE", "").split(",") if part}


def program(name: str, part: str) -> str:
    """Return where a program is, or skip the test; fail it if `part` is in ``WINDTUNNEL_REQUIRE``."""
    # Debian keeps the servers' own programs out of PATH, one folder a version.
    found = next((str(path) for path in Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None) or shutil.which(name)
    return found or lacking(f"{name} is not installed ({part})", part)


def lacking(reason: str, part: str) -> NoReturn:
    """Skip the test, with the reason; fail it if `part` is in ``WINDTUNNEL_REQUIRE``."""
    if part in _REQUIRED:
        pytest.fail(f"{reason}, and WINDTUNNEL_REQUIRE asks for it")
    pytest.skip(reason)
