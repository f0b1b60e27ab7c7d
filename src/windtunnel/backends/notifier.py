"""A run's notifier: threads wait for conditions, which are asked after each change."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from windtunnel.run.control import POLL_SECONDS, Control


class Notifier:
    """A wait for conditions, which are asked after each change. Any thread may wait, or notify of a change.

    Args:
        control: The run's; it fails if a thread of this notifier does.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._changed = threading.Condition()

    def start_thread(self, name: str, work: Callable[[], None]) -> threading.Thread:  # noqa: TID251 - a type
        """Start a thread of the run, whose end is a change."""
        return self._control.threads.start(name, work, self.notify)

    def notify(self) -> None:
        """Wake all threads that wait: something has changed."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until `condition` holds, asked after each change; tell whether it does."""
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    def wait_patiently(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait like `wait`, but no longer than until somebody is in a hurry."""
        return self._wait_while(lambda: not self._control.is_urgent, condition, seconds)

    def wait_for_grace(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait like `wait` for the end of what has a grace, but no longer than graces may last."""
        return self._wait_while(lambda: self._control.grace_left > 0, condition, seconds)

    def _wait_while(self, goes_on: Callable[[], bool], condition: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not condition() and seconds_until(deadline) and goes_on():
            self.wait(condition, min(POLL_SECONDS, seconds_until(deadline)))
        return condition()


def seconds_until(moment: float) -> float:
    """Return the seconds until a moment of the monotonic clock, at least 0."""
    return max(0.0, moment - time.monotonic())
