"""Wardens from outside: how one is started, and whether somebody still looks after a run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from windtunnel.backends.agent.client import agent_bug
from windtunnel.backends.agent.protocol import BUG
from windtunnel.errors import PlatformError, WindtunnelError
from windtunnel.run.folder import tail

SUPERVISOR = "agent.supervisor"
"""The program of the process backend's warden."""
_PROGRAM = Path(__file__).with_name("__main__.py")
_ISOLATED = ["-I", "-S"]
_END_SECONDS = 1.0


def start_warden(program: str, seconds: float, run_id: str, errors: Path) -> subprocess.Popen[bytes]:
    """Start a run's warden, in an isolated interpreter and a session of its own, and return it.

    Args:
        program: The module that it runs, below `windtunnel.backends`.
        seconds: When it ends everything at the latest, from now on.
        run_id: The run.
        errors: Where it writes what went wrong.
    """
    with errors.open("wb") as stderr:
        return subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, *_ISOLATED, str(_PROGRAM), program, str(os.getpid()), str(seconds), run_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )


def lost_warden(process: subprocess.Popen[bytes], errors: Path, words: str) -> WindtunnelError:
    """Return the end of a warden that nobody asked for as an error: a bug of its own, or somebody has ended it.

    Args:
        process: The warden.
        errors: Where it wrote what went wrong.
        words: What follows from its end.
    """
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END_SECONDS)  # its pipes are closed just before
    if process.returncode == BUG:
        return agent_bug("the warden", tail(errors))
    return PlatformError(f"the warden is gone; {words}", code="warden_lost")


def is_warden(process: psutil.Process, run_id: str) -> bool:
    """Tell a warden of a run whose driver lives: its keepers have its command line, but not its parent."""
    with contextlib.suppress(psutil.Error):
        command = process.cmdline()
        # By its arguments: a run of another installation, or version, on this machine is no orphan either.
        return command[1:3] == _ISOLATED and command[-1] == run_id and command[-3] == str(process.ppid())
    return False


def stopped_wardens() -> Iterator[tuple[psutil.Process, str]]:
    """Yield every warden of processes that was stopped (SIGSTOP), and its keepers, with the run's id."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() == psutil.STATUS_STOPPED:
                command = process.cmdline()
                if command[1:3] == _ISOLATED and SUPERVISOR in command:
                    yield process, command[-1]


def has_warden(run_id: str) -> bool:
    """Tell whether a run has a warden on this machine."""
    return any(is_warden(process, run_id) for process in psutil.process_iter())
