"""What a pod's containers use, as the processes of a pod that shares its process namespace show it."""

from __future__ import annotations

import os
import time
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
NANOSECONDS = 1e-9


class Reading:
    """What the processes of one container have used up to a moment.

    Attributes:
        cpu: Seconds of CPU; a child that was waited for counts with its parent.
        memory: Resident bytes.
        processes: How many there are.
        delays: Nanoseconds that each thread could have run and did not (Linux, sched-stats.rst).
    """

    def __init__(self) -> None:
        self.cpu, self.memory, self.processes = 0.0, 0, 0
        self.delays: dict[int, int] = {}


class Sampler:
    """Samples all containers of this pod but its own and the one that holds the pod together."""

    def __init__(self) -> None:
        self.read_at = time.monotonic()
        self.last: dict[str, Reading] = {}

    def sample(self) -> Iterator[dict[str, Any]]:
        """Yield what each container has used since the last time; a new one from its beginning."""
        found = _read()
        now = time.monotonic()
        seconds = now - self.read_at
        for group, reading in found.items():
            before = self.last.get(group) or Reading()
            waited = sum(max(0, delay - before.delays.get(thread, 0)) for thread, delay in reading.delays.items())
            yield {
                "container": group.rpartition("/")[2],
                "time": round(time.time(), 3),
                "seconds": round(seconds, 3),
                "cpu": round(max(0.0, reading.cpu - before.cpu) / seconds, 4),
                "cpu_wait": round(waited * NANOSECONDS / seconds, 4) if reading.delays else None,
                "memory": reading.memory,
                "processes": reading.processes,
            }
        self.read_at, self.last = now, found


def processes() -> Iterator[tuple[int, str]]:
    """Yield each process of this pod's other containers, with its control group; not the one that holds the pod."""
    own = {_group(os.getpid()), _group(1)}
    for number in [int(folder.name) for folder in PROC.iterdir() if folder.name.isdigit()]:
        try:
            group = _group(number)
        except (OSError, IndexError):
            continue
        if group not in own:
            yield number, group


def headless() -> Iterator[int]:
    """Yield each process of this pod's other containers whose main thread has ended while others go on."""
    for number, _group_of in processes():
        try:
            fields = _fields(number)
        except OSError:
            continue
        if fields[0] == "Z" and int(fields[17]) > 1:
            yield number


def _fields(pid: int) -> list[str]:
    """Return what follows the name in a process's status (proc_pid_stat(5))."""
    # The name may have blanks and parentheses; numbers follow the last of those.
    return (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def _read() -> dict[str, Reading]:
    found: dict[str, Reading] = {}
    for number, group in processes():
        folder = PROC / str(number)
        try:
            fields = _fields(number)
            reading = found.setdefault(group, Reading())
            reading.cpu += sum(map(int, fields[11:15])) / TICKS
            reading.memory += int((_thread(number) / "statm").read_text(encoding="ascii").split()[1]) * PAGE
            reading.processes += 1
            for thread in (folder / "task").iterdir():
                reading.delays[int(thread.name)] = int((thread / "schedstat").read_text(encoding="ascii").split()[1])
        except (OSError, IndexError, ValueError):
            continue
    return found


def _group(pid: int) -> str:
    """Return the control group that tells a process's container: of CPU on v1, the only one on v2."""
    lines = (_thread(pid) / "cgroup").read_text(encoding="utf-8").splitlines()
    found = {names: path for _number, names, path in (line.split(":", 2) for line in lines)}
    return next((path for names, path in found.items() if "cpuacct" in names.split(",")), found.get("", ""))


def _thread(pid: int) -> Path:
    """Return the folder of a process's newest thread: a main thread that has ended has neither group nor memory."""
    # In the kernel's order: the oldest, which is the main one, comes first.
    return list((PROC / str(pid) / "task").iterdir())[-1]
