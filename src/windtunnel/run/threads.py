"""Threads of a run: started, named, watched and joined in one place. None dies unheard, and none outlives its run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class ThreadGroup:
    """Daemon threads that are to end together. Any thread may start another.

    Args:
        fail: Called with the exception that a thread dies of.
    """

    def __init__(self, fail: Callable[[BaseException], object]) -> None:
        self._fail = fail
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []  # noqa: TID251 - a type

    def start(
        self, name: str, work: Callable[[], object], then: Callable[[], object] = lambda: None
    ) -> threading.Thread:  # noqa: TID251 - a type
        """Start a thread and return it.

        Args:
            name: The thread's name, which a note gives if the thread does not end with its run.
            work: What the thread does.
            then: Called at the end of `work`, after a failure was told; such as to wake threads that wait.
        """

        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - SystemExit too would end the thread without a word
                self._fail(error)
            finally:
                then()

        thread = threading.Thread(target=run, name=name, daemon=True)  # noqa: TID251 - the one place
        thread.start()
        with self._lock:
            self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        return thread

    def join(self, seconds: float) -> list[str]:
        """Wait until all threads have ended, for `seconds` at most; return the names of those that have not."""
        deadline = time.monotonic() + seconds
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return [thread.name for thread in threads if thread.is_alive()]
