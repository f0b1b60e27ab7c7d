"""What a test needs of the machine: skipped with the reason where it lacks, failed where it is required."""

from __future__ import annotations

import importlib
import os
import shutil
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest
from _pytest.mark import ParameterSet

REQUIRED = {part for part in os.environ.get("WINDTUNNEL_REQUIRE", "").split(",") if part}
EXPECTED_SKIPS = (
    "the recording backend runs nothing",
    "this machine is not idle",
    "this cluster enforces policies",
    "a small file system cannot be mounted here",
    "needs root and the freezer of cgroup v1",
)
"""Why a test may be skipped where ``WINDTUNNEL_REQUIRE`` is set."""


def needing_a_platform(*names: str) -> list[ParameterSet]:
    """Return these names of backends or engines as a test's parameters; `make check` leaves them out."""
    return [pytest.param(name, marks=pytest.mark.platform) for name in names]


def program(name: str, part: str) -> str:
    """Return where a program is, or skip the test; fail it if `part` is in ``WINDTUNNEL_REQUIRE``."""
    # Debian keeps the servers' own programs out of PATH, one folder a version.
    found = next((str(path) for path in Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None) or shutil.which(name)
    return found or lacking(f"{name} is not installed ({part})", part)


def package(name: str, part: str | None = None) -> ModuleType:
    """Return a Python module, or skip the test, or the tests of a file, as `program` does."""
    try:
        return importlib.import_module(name)
    except ImportError:
        lacking(f"{name.partition('.')[0]} is not installed", part or name)


def lacking(reason: str, part: str) -> NoReturn:
    """Skip the test, with the reason; fail it if `part` is in ``WINDTUNNEL_REQUIRE``."""
    if part in REQUIRED:
        pytest.fail(f"{reason}, and WINDTUNNEL_REQUIRE asks for it", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def is_unexpected(reason: str) -> bool:
    """Tell whether a skip hides a test from a machine that is to run them all (``WINDTUNNEL_REQUIRE``)."""
    return bool(REQUIRED) and not any(expected in reason for expected in EXPECTED_SKIPS)
