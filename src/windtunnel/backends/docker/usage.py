"""What a container uses: read from its control group where the daemon runs on this machine, else asked of the daemon.

Sources: Linux, *cgroup-v1* and *cgroup-v2*; Docker's API, *Get container stats based on resource usage*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from windtunnel.backends.docker.api import DockerApi, map_errors
from windtunnel.backends.usage import Reading, run_delays
from windtunnel.errors import PlatformError

_ROOT = Path("/sys/fs/cgroup")
_NANOSECONDS, _MICROSECONDS = 1e-9, 1e-6


@dataclass(frozen=True)
class Look:
    """What a container has used since its start, at one moment.

    Attributes:
        cpu: Seconds of CPU.
        throttled: Seconds for which its limit kept it from running.
        memory: Bytes, without what the kernel keeps only while nobody needs the space.
        processes: How many there are.
        delays: Nanoseconds that each of its threads could have run and did not; None where that cannot be seen.
    """

    cpu: float
    throttled: float
    memory: int
    processes: int
    delays: Mapping[int, int] | None = field(default_factory=dict)


class ContainerUsage:
    """Reads what a container has used since its start.

    Args:
        api: The daemon.
        container: The container's id.
        pid: Its first process, as the daemon's machine counts.
    """

    def __init__(self, api: DockerApi, container: str, pid: int) -> None:
        self._api, self._container = api, container
        self._cgroup = Cgroup.of(pid, container)
        self._delays: Mapping[int, int] = {}
        self._waited = 0.0

    def read(self) -> Reading | None:
        """Return what the container has used; None if it is gone, or the daemon does not answer."""
        look = self._cgroup.read() if self._cgroup else self._ask()
        return Reading(look.cpu, self.waited(look), look.memory, look.processes) if look else None

    def waited(self, look: Look) -> float | None:
        """Return the seconds until now for which it could have run and did not, as far as looks have seen them.

        A thread's delay counts the limit too. Where threads cannot be seen, the limit alone is known: None then,
        unless it kept something from running.
        """
        if look.delays is None:
            return look.throttled or None
        waited = sum(max(0, delay - self._delays.get(thread, 0)) for thread, delay in look.delays.items())
        self._delays = look.delays
        self._waited += waited * _NANOSECONDS
        return self._waited

    def _ask(self) -> Look | None:
        """Ask the daemon, which may take a second for an answer."""
        try:
            with map_errors("asking what is used"):
                facts = self._api.call("GET", f"/containers/{self._container}/stats?stream=0&one-shot=1")
            return _look(facts)
        except (PlatformError, KeyError, TypeError):
            return None


def _look(facts: Mapping[str, Any]) -> Look:
    cpu, memory = facts["cpu_stats"], facts["memory_stats"]
    # What the kernel would give up at once does not count; the key differs between cgroup 1 and 2.
    detail = memory["stats"]
    cache = detail.get("total_inactive_file", detail.get("inactive_file", 0))
    return Look(
        cpu=cpu["cpu_usage"]["total_usage"] * _NANOSECONDS,
        throttled=cpu.get("throttling_data", {}).get("throttled_time", 0) * _NANOSECONDS,
        memory=max(0, memory["usage"] - cache),
        processes=facts.get("pids_stats", {}).get("current", 0),
        delays=None,
    )


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

    def read(self) -> Look | None:
        """Read it; None if it is gone, or not where it usually is."""
        try:
            return self._read_v2() if self.is_v2 else self._read_v1()
        except (OSError, KeyError, ValueError):
            return None

    def _read_v1(self) -> Look:
        cpu = int((self.accounting / "cpuacct.usage").read_text(encoding="ascii")) * _NANOSECONDS
        throttled = _pairs(self.limit / "cpu.stat")["throttled_time"] * _NANOSECONDS
        used = int((self.memory / "memory.usage_in_bytes").read_text(encoding="ascii"))
        cache = _pairs(self.memory / "memory.stat")["total_inactive_file"]
        return self._look_at(cpu, throttled, used - cache)

    def _read_v2(self) -> Look:
        times = _pairs(self.accounting / "cpu.stat")
        used = int((self.memory / "memory.current").read_text(encoding="ascii"))
        cache = _pairs(self.memory / "memory.stat")["inactive_file"]
        cpu, throttled = times["usage_usec"], times.get("throttled_usec", 0)
        return self._look_at(cpu * _MICROSECONDS, throttled * _MICROSECONDS, used - cache)

    def _look_at(self, cpu: float, throttled: float, memory: int) -> Look:
        processes = (self.accounting / "cgroup.procs").read_text(encoding="ascii").split()
        delays: dict[int, int] = {}
        for pid in processes:
            delays |= run_delays(int(pid))
        return Look(cpu, throttled, max(0, memory), len(processes), delays)


def _pairs(path: Path) -> dict[str, int]:
    """Return the lines ``name number`` of a file."""
    return {name: int(value) for name, value in map(str.split, path.read_text(encoding="ascii").splitlines())}
