"""What a process tree uses, read from /proc."""

from __future__ import annotations

import resource
from pathlib import Path

import psutil

from windtunnel.backends.process.warden_client import Child
from windtunnel.backends.usage import Reading, run_delays

_NANOSECONDS = 1e-9


class TreeUsage:
    """Reads what all processes of a tree have used since its start.

    Args:
        child: The tree; it was just started.
    """

    def __init__(self, child: Child) -> None:
        self._child = child
        self._first_cpu = _reaped_cpu(child.keeper)  # a keeper is used again
        self._delays: dict[int, int] = {}
        self._waited = 0.0

    def read(self) -> Reading | None:
        """Return what the tree has used; once it is gone, what its keeper has told of it."""
        child = self._child
        if child.is_over:
            # The keeper's memory is that of its largest process, whose pages were the keeper's own at first.
            return Reading(child.cpu, child.waited, child.memory, 0, is_last=True)
        try:
            processes = psutil.Process(child.keeper).children(recursive=True)
        except psutil.Error:
            return None
        cpu, memory, living = _reaped_cpu(child.keeper), 0, 0
        delays: dict[int, int] = {}
        for process in processes:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    # A child that a process waited for counts with its parent from then on.
                    cpu += times.user + times.system + times.children_user + times.children_system
                    memory += process.memory_info().rss or _resident(process.pid)
            except psutil.Error:
                continue
            living += 1
            delays |= run_delays(process.pid)
        waited = sum(delay - self._delays.get(thread, 0) for thread, delay in delays.items())
        self._delays = delays
        self._waited += max(0, waited) * _NANOSECONDS
        return Reading(cpu - self._first_cpu, self._waited if delays else None, memory, living)


def _reaped_cpu(keeper: int) -> float:
    """Return the CPU seconds of the processes that a keeper has reaped already."""
    try:
        times = psutil.Process(keeper).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.children_user + times.children_system)


def _resident(pid: int) -> int:
    """Return the resident bytes of a process whose main thread may have ended, as its newest thread tells them."""
    threads = Path(f"/proc/{pid}/task")
    try:
        newest = list(threads.iterdir())[-1]
        return int((newest / "statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        return 0
