"""What running containers use, sampled by a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from windtunnel.backends.docker.calls import APIClient, daemon_words
from windtunnel.backends.docker.cgroup import Cgroup, Reading
from windtunnel.backends.docker.step import Container, RunningStep
from windtunnel.backends.sampling import SHORTEST_SECONDS, Beat
from windtunnel.errors import PlatformError
from windtunnel.run.control import Control
from windtunnel.run.journal import UsageSample

_NANOSECONDS = 1e-9


@dataclass
class _Watched:
    """A step's containers and what was read of them last, at a moment of the clock that nobody sets."""

    running: RunningStep
    read_at: float
    readers: list[Callable[[], Reading | None]]
    last: list[Reading] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class UsageSampler:
    """Samples steps until it is closed.

    Args:
        control: The run's.
        api: Asked about containers whose control groups cannot be read here.
        sink: Called with each sample, from the sampler's thread.
    """

    def __init__(self, control: Control, api: APIClient, sink: Callable[[UsageSample], None]) -> None:
        self._api, self._sink = api, sink
        self._watched: dict[RunningStep, _Watched] = {}
        self._lock = threading.Lock()
        self._beat = Beat(control, self._sample_all)

    def add(self, running: RunningStep) -> None:
        """Begin to sample a step that was just started: what it used until now is in its first sample."""
        began = time.monotonic()
        watched = _Watched(running, began, [self._reader(container) for container in running.containers])
        watched.last = [Reading(0.0, 0.0, 0, 0) for _ in watched.readers]
        with self._lock:
            self._watched[running] = watched

    def remove(self, running: RunningStep) -> None:
        """Stop sampling a step; while it still runs, its last stretch is sampled too."""
        with self._lock:
            watched = self._watched.pop(running, None)
        if watched and not running.has_ended:
            with watched.lock:
                self._sample(watched)

    def close(self) -> None:
        """Stop sampling; returns when the thread has ended."""
        self._beat.close()

    def _sample_all(self) -> None:
        with self._lock:
            watched = list(self._watched.values())
        for item in watched:
            with item.lock:
                if item.running in self._watched:
                    self._sample(item)

    def _sample(self, watched: _Watched) -> None:
        if time.monotonic() - watched.read_at < SHORTEST_SECONDS:
            return
        readings = [reader() for reader in watched.readers]
        now = time.monotonic()
        found = [reading for reading in readings if reading]
        if len(found) < len(readings):
            return
        seconds = now - watched.read_at
        waits = [new.waited_since(old) for new, old in zip(found, watched.last, strict=True)]
        known = [wait for wait in waits if wait is not None]
        sample = UsageSample(
            step=watched.running.name,
            time=round(time.time(), 3),
            seconds=round(seconds, 3),
            cpu=round(
                sum(max(0.0, new.cpu - old.cpu) for new, old in zip(found, watched.last, strict=True)) / seconds, 4
            ),
            cpu_wait=round(sum(known) / seconds, 4) if known else None,
            memory=sum(reading.memory for reading in found),
            processes=sum(reading.processes for reading in found),
        )
        watched.read_at, watched.last = now, found
        self._sink(sample)

    def _reader(self, container: Container) -> Callable[[], Reading | None]:
        cgroup = Cgroup.of(container.pid, container.id)
        return cgroup.read if cgroup else lambda: self._ask(container)

    def _ask(self, container: Container) -> Reading | None:
        """Ask the daemon, which may take a second for an answer."""
        try:
            with daemon_words("asking what is used"):
                facts = self._api.stats(container.id, stream=False, one_shot=True)
            return _reading(facts)
        except (PlatformError, KeyError, TypeError):
            return None


def _reading(facts: Mapping[str, Any]) -> Reading:
    cpu, memory = facts["cpu_stats"], facts["memory_stats"]
    # What the kernel would give up at once does not count; the key differs between cgroup 1 and 2.
    detail = memory["stats"]
    cache = detail.get("total_inactive_file", detail.get("inactive_file", 0))
    return Reading(
        cpu=cpu["cpu_usage"]["total_usage"] * _NANOSECONDS,
        throttled=cpu.get("throttling_data", {}).get("throttled_time", 0) * _NANOSECONDS,
        memory=max(0, memory["usage"] - cache),
        processes=facts.get("pids_stats", {}).get("current", 0),
        delays=None,
    )
