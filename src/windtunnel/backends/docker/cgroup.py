"""A container's control group, where the daemon runs on this machine (Linux, cgroup-v1 and cgroup-v2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from windtunnel.backends.sampling import run_delays

_ROOT = Path("/sys/fs/cgroup")
_NANOSECONDS, _MICROSECONDS = 1e-9, 1e-6


@dataclass(frozen=True)
class Reading:
    """What a container used up to a moment.

    Attributes:
        cpu: Seconds of CPU.
        throttled: Seconds for which its limit kept it from running.
        memory: Bytes, without what the kernel keeps only while nobody needs the space.
        processes: How many there are.
        delays: Nanoseconds that each of its threads could have run and did not; None where
            that cannot be seen.
    """

    cpu: float
    throttled: float
    memory: int
    processes: int
    delays: Mapping[int, int] | None = field(default_factory=dict)

    def waited_since(self, earlier: Reading) -> float | None:
        """Return the seconds since `earlier` for which it could have run and did not.

        A thread's delay counts the limit too. Where threads cannot be seen, the limit alone is
        known: None then, unless it kept something from running.
        """
        if self.delays is not None:
            before = earlier.delays or {}
            return sum(max(0, delay - before.get(key, 0)) for key, delay in self.delays.items()) * _NANOSECONDS
        return max(0.0, self.throttled - earlier.throttled) if self.throttled else None


@dataclass(frozen=True)
class Cgroup:
    """The files of one container: folders of its CPU accounting, its CPU limit and its memory; one folder on v2."""

    accounting: Path
    limit: Path
    memory: Path
    is_v2: bool

    @classmethod
    def of(cls, pid: int, container: str) -> Cgroup | None:
        """Return the control group of a container whose first process is `pid`; None if it is not of this machine."""
        folders: dict[str, Path] = {}
        try:
            lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()
        except OSError:
            return None
        for line in lines:
            _number, names, path = line.split(":", 2)
            if container in path:
                folders |= {name: _ROOT / names / path.lstrip("/") for name in names.split(",")}
        if {"cpuacct", "cpu", "memory"} <= set(folders):
            found = cls(folders["cpuacct"], folders["cpu"], folders["memory"], is_v2=False)
        elif "" in folders:
            found = cls(folders[""], folders[""], folders[""], is_v2=True)
        else:
            return None
        return found if found.read() else None

    def read(self) -> Reading | None:
        """Read it; None if it is gone, or not where it usually is."""
        try:
            return self._read_v2() if self.is_v2 else self._read_v1()
        except (OSError, KeyError, ValueError):
            return None

    def _read_v1(self) -> Reading:
        cpu = int((self.accounting / "cpuacct.usage").read_text(encoding="ascii")) * _NANOSECONDS
        throttled = _pairs(self.limit / "cpu.stat")["throttled_time"] * _NANOSECONDS
        used = int((self.memory / "memory.usage_in_bytes").read_text(encoding="ascii"))
        cache = _pairs(self.memory / "memory.stat")["total_inactive_file"]
        return self._reading(cpu, throttled, used - cache)

    def _read_v2(self) -> Reading:
        times = _pairs(self.accounting / "cpu.stat")
        used = int((self.memory / "memory.current").read_text(encoding="ascii"))
        cache = _pairs(self.memory / "memory.stat")["inactive_file"]
        cpu, throttled = times["usage_usec"], times.get("throttled_usec", 0)
        return self._reading(cpu * _MICROSECONDS, throttled * _MICROSECONDS, used - cache)

    def _reading(self, cpu: float, throttled: float, memory: int) -> Reading:
        processes = (self.accounting / "cgroup.procs").read_text(encoding="ascii").split()
        delays: dict[int, int] = {}
        for pid in processes:
            delays |= run_delays(int(pid))
        return Reading(cpu, throttled, max(0, memory), len(processes), delays)


def _pairs(path: Path) -> dict[str, int]:
    """Return the lines ``name number`` of a file."""
    return {name: int(value) for name, value in map(str.split, path.read_text(encoding="ascii").splitlines())}
