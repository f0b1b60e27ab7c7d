"""What can end a run from outside: its deadline, and somebody who cancels it."""

from __future__ import annotations

import threading
import time

from windtunnel.errors import Cancelled, TimedOut
from windtunnel.plan import Plan

POLL_SECONDS = 0.1
"""How long a wait may go without asking `Control.check`."""


class Control:
    """A run's deadline and its cancellation; any thread, or a signal handler, may cancel.

    Args:
        timeout: Seconds that the run may take, teardown not counted.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._reasons: list[str] = []
        self._cancelled = threading.Event()

    @classmethod
    def for_plan(cls, plan: Plan) -> Control:
        """Return a control with the plan's timeout, which begins now."""
        return cls(plan.timeout)

    def cancel(self, reason: str) -> None:
        """Ask the run to stop; asked twice, it stops without grace."""
        self._reasons.append(reason)
        self._cancelled.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked the run to stop."""
        return self._cancelled.is_set()

    @property
    def is_over(self) -> bool:
        """Whether the deadline is over."""
        return time.monotonic() >= self._deadline

    @property
    def is_urgent(self) -> bool:
        """Whether it was asked more than once: graces are over."""
        return len(self._reasons) > 1

    def wait(self, seconds: float) -> None:
        """Wait so long, or until somebody cancels; then `check`."""
        self._cancelled.wait(seconds)
        self.check()

    def check(self) -> None:
        """Return if the run may go on.

        Raises:
            Cancelled: Somebody asked it to stop.
            TimedOut: The deadline is over.
        """
        if self._reasons:
            raise Cancelled(self._reasons[0])
        if self.is_over:
            raise TimedOut(f"the run took longer than its timeout of {self.timeout:g} s")
