"""Wardens seen from outside: whether somebody still looks after a run."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil

from windtunnel.backends import warden


def is_warden(process: psutil.Process, run_id: str) -> bool:
    """Tell a warden of a run whose driver lives: its keepers have its command line, but not its parent."""
    with contextlib.suppress(psutil.Error):
        command = process.cmdline()
        # By its file's name: a run of another installation on this machine is no orphan either.
        is_ours = any(Path(word).name == Path(warden.__file__).name for word in command)
        return is_ours and run_id in command and str(process.ppid()) in command
    return False


def has_warden(run_id: str) -> bool:
    """Tell whether a run has a warden on this machine."""
    return any(is_warden(process, run_id) for process in psutil.process_iter())
