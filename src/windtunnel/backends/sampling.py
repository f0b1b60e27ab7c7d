"""What samplers of usage share: a beat, and how long threads waited for a CPU."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from windtunnel.run.control import Control
from windtunnel.run.threads import start_thread

INTERVAL_SECONDS = 0.5
SHORTEST_SECONDS = 0.2
"""Below this a sample says more about its two moments than about what is between them."""


class Beat:
    """Calls `tick` every `INTERVAL_SECONDS`, in a thread of the run's, until it is closed."""

    def __init__(self, control: Control, tick: Callable[[], None]) -> None:
        self._tick = tick
        self._over = threading.Event()
        self._thread = start_thread(control, "usage", self._run)

    def close(self) -> None:
        """Call no more; returns when the thread has ended."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(INTERVAL_SECONDS):
            self._tick()


def run_delays(pid: int) -> dict[int, int]:
    """Return nanoseconds that each thread waited on a run queue (Linux, sched-stats.rst)."""
    delays = {}
    try:
        for path in Path(f"/proc/{pid}/task").iterdir():
            delays[int(path.name)] = int((path / "schedstat").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        pass
    return delays
