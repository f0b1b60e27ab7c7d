"""How long a cluster's API is waited for: not for long once it was lost, or once somebody is in a hurry."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from windtunnel.run.control import run_cancellable

T = TypeVar("T")
HURRY_SECONDS = 1.5
"""How long an answer is waited for when nobody has time any more; most come in a tenth of that."""


class Patience:
    """Waits for answers in threads that are left behind if none comes.

    Args:
        is_urgent: Tells whether somebody is in a hurry, asked meanwhile.

    Attributes:
        is_lost: Whether the API was waited for in vain; its next answer ends that.
    """

    def __init__(self, is_urgent: Callable[[], bool] = lambda: False) -> None:
        self.is_urgent = is_urgent
        self.is_lost = False

    @property
    def is_over(self) -> bool:
        """Whether nothing is asked a second time."""
        return self.is_lost or self.is_urgent()

    def wait(self, work: Callable[[], T], seconds: float = 0.0) -> T:
        """Return what `work` returns, which may take so long; OSError if there is no time for it any more."""
        found: list[T] = []
        run_cancellable(_Hurry(self, seconds), lambda: found.append(work()))
        self.is_lost = False
        return found[0]


class _Hurry:
    """One wait."""

    def __init__(self, patience: Patience, seconds: float) -> None:
        self._patience, self._seconds = patience, seconds + HURRY_SECONDS
        self._since: float | None = None

    def check(self) -> None:
        """Return if it may go on (OSError)."""
        patience = self._patience
        if patience.is_lost and patience.is_urgent():
            raise OSError("no answer")
        if patience.is_over:
            self._since = self._since or time.monotonic()
            if time.monotonic() > self._since + self._seconds:
                raise OSError("no answer")
