"""What running steps use: CPU, waiting for CPU, memory; sampled by a thread of its own."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from windtunnel.backends.sampling import SHORTEST_SECONDS, Beat, run_delays
from windtunnel.run.control import Control
from windtunnel.run.journal import UsageSample

_TICK_SECONDS = 0.01
_NANOSECONDS = 1e-9


@dataclass
class _Watched:
    """A process tree and what was read of it last, at a moment of the clock that nobody sets."""

    step: str
    keeper: int
    read_at: float
    cpu: float = 0.0
    waits: dict[int, int] = field(default_factory=dict)
    first_cpu: float = 0.0
    waited: float = 0.0
    memory: int = 0


class UsageSampler:
    """Samples the trees below some keepers until it is closed.

    Args:
        control: The run's.
        sink: Called with each sample, from the sampler's thread.
    """

    def __init__(self, control: Control, sink: Callable[[UsageSample], None]) -> None:
        self._sink = sink
        self._watched: dict[int, _Watched] = {}
        self._lock = threading.Lock()
        self._beat = Beat(control, self._sample_all)

    def add(self, step: str, keeper: int) -> None:
        """Begin to sample all below `keeper`."""
        watched = _Watched(step, keeper, time.monotonic())
        watched.cpu = watched.first_cpu = _reaped_cpu(keeper)
        with self._lock:
            self._watched[keeper] = watched

    def remove(self, keeper: int, cpu: float, waited: float, memory: int) -> None:
        """Stop sampling below `keeper`, whose step has ended; its last stretch is sampled too.

        Args:
            keeper: The keeper.
            cpu: Seconds of CPU that the step used in all.
            waited: Seconds that its main threads waited for a CPU in all.
            memory: The most that one of its processes had resident, in bytes; told only of a
                step that was too short to be seen, for it counts the keeper's own pages too.
        """
        with self._lock:
            watched = self._watched.pop(keeper, None)
        if watched:
            seconds = max(time.monotonic() - watched.read_at, _TICK_SECONDS)
            rest = max(0.0, cpu - (watched.cpu - watched.first_cpu))
            wait = max(0.0, waited - watched.waited)
            last = UsageSample(
                step=watched.step,
                time=round(time.time(), 3),
                seconds=round(seconds, 3),
                cpu=round(rest / seconds, 4),
                cpu_wait=round(wait / seconds, 4),
                memory=watched.memory or memory,
                processes=0,
            )
            self._sink(last)

    def close(self) -> None:
        """Stop sampling; returns when the thread has ended."""
        self._beat.close()

    def _sample_all(self) -> None:
        with self._lock:
            watched = list(self._watched.values())
        for item in watched:
            if time.monotonic() - item.read_at < SHORTEST_SECONDS:
                continue
            sample = _read(item)
            with self._lock:
                is_current = self._watched.get(item.keeper) is item
            if sample and is_current:
                self._sink(sample)


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


def _read(watched: _Watched) -> UsageSample | None:
    try:
        processes = psutil.Process(watched.keeper).children(recursive=True)
    except psutil.Error:
        return None
    now, cpu, memory, living = time.monotonic(), _reaped_cpu(watched.keeper), 0, 0
    waits: dict[int, int] = {}
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
        waits |= run_delays(process.pid)
    seconds = now - watched.read_at
    waited = sum(delay - watched.waits.get(thread, 0) for thread, delay in waits.items())
    sample = UsageSample(
        step=watched.step,
        time=round(time.time(), 3),
        seconds=round(seconds, 3),
        cpu=round(max(0.0, cpu - watched.cpu) / seconds, 4),
        cpu_wait=round(max(0, waited) * _NANOSECONDS / seconds, 4) if waits else None,
        memory=memory,
        processes=living,
    )
    watched.read_at, watched.cpu, watched.waits = now, cpu, waits
    watched.waited += max(0, waited) * _NANOSECONDS
    watched.memory = memory
    return sample
