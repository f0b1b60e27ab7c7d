"""What running steps use: CPU, waiting for CPU, memory; read from their tasks in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from windtunnel.run.control import Control
from windtunnel.run.journal import UsageSample

INTERVAL_SECONDS = 0.5
SHORTEST_SECONDS = 0.2
"""Below this a sample says more about its two moments than about what is between them."""
_TICK_SECONDS = 0.01
"""The kernel counts CPU in ticks."""


@dataclass(frozen=True)
class Reading:
    """What a task has used since its start.

    Attributes:
        cpu: Seconds of CPU.
        waited: Seconds for which its threads could have run and did not; None where that cannot be seen.
        memory: Bytes that it has now; the most that it had, once it has ended.
        processes: How many it has now.
        is_last: Whether it has ended, so that this is all that it used.
    """

    cpu: float
    waited: float | None
    memory: int
    processes: int
    is_last: bool = False


class Source(Protocol):
    """A task whose usage can be read."""

    def usage(self) -> Reading | None:
        """Return what it has used since its start; None where that cannot be read."""
        ...


@dataclass
class _Watched:
    """A step's tasks and what was read of them last, at a moment of the clock that nobody sets."""

    step: str
    tasks: Sequence[Source]
    read_at: float
    last: list[Reading] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class UsageSampler:
    """Samples steps every `INTERVAL_SECONDS` until it is closed; its thread starts with the first step.

    Args:
        control: The run's.
        sink: Called with each sample, from the sampler's thread or from one that removes a step.
    """

    def __init__(self, control: Control, sink: Callable[[UsageSample], None]) -> None:
        self._control, self._sink = control, sink
        self._watched: dict[str, _Watched] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None  # noqa: TID251 - a type

    def add(self, label: str, step: str, tasks: Sequence[Source]) -> None:
        """Begin to sample a step that was just started: what it used until now is in its first sample.

        Args:
            label: The start of the step, by its label.
            step: The step's name, under which its samples stand.
            tasks: Its tasks.
        """
        nothing = Reading(0.0, 0.0, 0, 0)
        watched = _Watched(step, tasks, time.monotonic(), [nothing] * len(tasks), [0.0] * len(tasks))
        with self._lock:
            self._watched[label] = watched
            if self._thread is None:
                self._thread = self._control.threads.start("usage", self._run)

    def sample(self, label: str) -> None:
        """Sample a step now: it is about to be told to end."""
        with self._lock:
            watched = self._watched.get(label)
        if watched:
            with watched.lock:
                self._sample(watched)

    def remove(self, label: str) -> None:
        """Stop sampling a step that has ended; its last stretch is sampled too, where its tasks can tell it."""
        with self._lock:
            watched = self._watched.pop(label, None)
        if watched:
            with watched.lock:
                self._sample(watched)

    def close(self) -> None:
        """Stop sampling; returns when the thread has ended."""
        self._over.set()
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(INTERVAL_SECONDS):
            with self._lock:
                watched = list(self._watched.items())
            for label, item in watched:
                with item.lock:
                    if self._watched.get(label) is item:
                        self._sample(item)

    def _sample(self, watched: _Watched) -> None:
        found = [reading for task in watched.tasks if (reading := task.usage())]
        now = time.monotonic()
        seconds = now - watched.read_at
        is_last = bool(found) and all(reading.is_last for reading in found)
        if len(found) < len(watched.tasks) or (seconds < SHORTEST_SECONDS and not is_last):
            return
        seconds = max(seconds, _TICK_SECONDS)
        pairs = list(zip(found, watched.last, strict=True))
        waits = _waits(watched.waited, found)
        # What has ended says the most that one of its processes had, its parent's pages too: what was seen is better.
        memory = [old.memory if new.is_last and old.memory else new.memory for new, old in pairs]
        sample = UsageSample(
            step=watched.step,
            time=round(time.time(), 3),
            seconds=round(seconds, 3),
            cpu=round(sum(max(0.0, new.cpu - old.cpu) for new, old in pairs) / seconds, 4),
            cpu_wait=round(sum(waits) / seconds, 4) if waits else None,
            memory=sum(memory),
            processes=sum(reading.processes for reading in found),
        )
        watched.read_at, watched.last = now, found
        self._sink(sample)


def _waits(known: list[float], found: Sequence[Reading]) -> list[float]:
    """Return how long tasks have waited since it was known last, of those that tell it; it is known then."""
    waits = []
    for number, reading in enumerate(found):
        if reading.waited is not None:
            waits.append(max(0.0, reading.waited - known[number]))
            known[number] = reading.waited
    return waits


def run_delays(pid: int) -> dict[int, int]:
    """Return nanoseconds that each thread waited on a run queue (Linux, sched-stats.rst)."""
    delays = {}
    try:
        for path in Path(f"/proc/{pid}/task").iterdir():
            delays[int(path.name)] = int((path / "schedstat").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        pass
    return delays
