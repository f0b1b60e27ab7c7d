"""Observers of a run are told in threads of their own: one that is slow or stuck holds up nothing but itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue

from windtunnel.run.control import POLL_SECONDS, Control
from windtunnel.run.events import Event, Observer


class Dispatcher:
    """Tells one observer of events, in order, in a thread of the run.

    Args:
        observer: Called with each event. One that raises has a bug, and is told no more.
        control: The run's control.
        on_failure: Called with a sentence about an observer that raised.
    """

    def __init__(self, observer: Observer, control: Control, on_failure: Callable[[str], None]) -> None:
        self._observer, self._control, self._on_failure = observer, control, on_failure
        self._name = getattr(observer, "__qualname__", type(observer).__name__)
        self._has_failed = False
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        control.threads.start(f"observer {self._name}", self._work)

    def tell(self, event: Event) -> None:
        """Tell the observer of an event, later."""
        self._tasks.put(partial(self._tell, event))

    def catch_up(self, deadline: float) -> None:
        """Wait until the observer was told all so far.

        Args:
            deadline: When to wait no more, on the monotonic clock; nothing is waited for when somebody is in a hurry.
        """
        is_done = threading.Event()
        self._tasks.put(is_done.set)
        while not is_done.wait(POLL_SECONDS) and time.monotonic() < deadline and not self._control.is_urgent:
            pass

    def close(self) -> None:
        """End the thread once the observer was told all."""
        self._tasks.put(None)

    def _work(self) -> None:
        while task := self._tasks.get():
            task()

    def _tell(self, event: Event) -> None:
        if self._has_failed:
            return
        try:
            self._observer(event)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an observer must not end a measurement
            self._has_failed = True
            self._on_failure(f"{self._name} is told no more of this run: {type(error).__name__}: {error}")
