"""Gangs on the process backend, where the launcher starts all ranks itself, and is played."""

from __future__ import annotations

import pytest

from support.lab import Lab

pytestmark = pytest.mark.usefixtures("nothing_left")
MPIRUN = """#!/bin/sh
[ "$1" != --version ] || { echo "mpirun (Open MPI) 4.1.4"; exit; }
kill -KILL "$PPID"
"""
BENCHMARK = """
spec_version = "1"
[benchmark]
name = "ranks"
strategy = "mpi"
timeout = "1m"
[gang]
size = 2
[client]
launcher = "openmpi"
command = ["echo", "rate=1"]
env = { PATH = "FOLDER:/usr/bin:/bin" }
[[metrics]]
name = "rate"
pattern = "rate=([0-9]+)"
"""


def test_a_launcher_that_is_killed_is_told_as_any_command(lab: Lab) -> None:
    """It could not tell of its own end, and is not blamed for starting no ranks."""
    mpirun = lab.path / "bin" / "mpirun"
    mpirun.parent.mkdir()
    mpirun.write_text(MPIRUN)
    mpirun.chmod(0o755)
    result = lab.run(BENCHMARK.replace("FOLDER", str(mpirun.parent)))

    assert (result.exit_code, result.cause) == (1, "command_failed")
    assert "client was killed by SIGKILL in iteration 1" in result.record["cause"]["message"]
