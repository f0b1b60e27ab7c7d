"""Which process drives a run, and whether it still lives."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import psutil

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_STATE, _THREADS, _STARTED = 0, 17, 19
"""Where they stand in ``/proc/PID/stat``, counted from the field that follows the name (proc_pid_stat(5))."""


def driver_identity() -> dict[str, Any]:
    """Return the identity of this process, which no other process has, not even one that gets its id.

    ``started``, in seconds since the epoch, moves with the machine's clock and is for people and
    older versions; ``ticks`` since the ``boot`` do not.
    """
    process = psutil.Process()
    return {
        "host": platform.node(),
        "pid": process.pid,
        "started": process.create_time(),
        "ticks": _ticks(process.pid),
        "boot": _boot(),
        "namespace": process_namespace(),
    }


def process_namespace(pid: int | str = "self") -> str | None:
    """Return the PID namespace of a process, or None where it cannot be read."""
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return None


def is_alive(driver: dict[str, Any]) -> bool:
    """Tell whether the driver with an identity lives; of one on another machine that is assumed."""
    is_here = driver.get("namespace") in {None, process_namespace()}
    if driver.get("host") != platform.node() or not is_here:
        return True
    try:
        pid = int(driver["pid"])
        if driver.get("ticks") is not None and driver.get("boot") is not None:
            return (driver["boot"], driver["ticks"]) == (_boot(), _ticks(pid))
        # Written by a version that knew the clock's time only.
        return abs(psutil.Process(pid).create_time() - float(driver.get("started", 0))) < 1
    except (psutil.Error, KeyError, ValueError):
        return False


def _boot() -> str | None:
    """Return the id of the machine's boot, or None where it cannot be read."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return None


def _ticks(pid: int) -> int | None:
    """Return when a process began, in clock ticks since the boot; None if there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    # One that nobody waited for is listed after its end.
    has_ended = fields[_STATE] == "Z" and int(fields[_THREADS]) <= 1
    return None if has_ended else int(fields[_STARTED])
