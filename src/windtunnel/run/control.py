"""What can end a run from outside: its deadline, and somebody who cancels it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from typing import Protocol

from windtunnel.errors import Cancelled, TimedOut, WindtunnelError, as_error
from windtunnel.plan import Plan
from windtunnel.run.threads import ThreadGroup

POLL_SECONDS = 0.1
"""How long a wait may go without asking `Control.check`."""


class Control:
    """A run's deadline and its cancellation; any thread, or a signal handler, may cancel.

    Args:
        timeout: Seconds that the run may take, teardown not counted.

    Attributes:
        failure: The first thing that failed beside the run, such as a thread of its own; None if nothing has.
        threads: The run's threads; an exception in one makes the run fail.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._reasons: list[str] = []
        self._graces_end = math.inf
        self._is_told = threading.Event()
        self.failure: WindtunnelError | None = None
        self.threads = ThreadGroup(self.fail)

    @classmethod
    def for_plan(cls, plan: Plan) -> Control:
        """Return a control with the plan's timeout, which begins now."""
        return cls(plan.timeout)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the deadline's clock: what a run waits for others is none of its own time."""
        left = self.left
        self._deadline = math.inf
        try:
            yield
        finally:
            self._deadline = time.monotonic() + left

    def cancel(self, reason: str) -> None:
        """Ask the run to stop; asked twice, it stops without grace."""
        self._reasons.append(reason)
        self._is_told.set()

    def end_graces(self, seconds: float) -> None:
        """Let no step's grace last longer than so many seconds from now: who ends this process gives it no more."""
        self._graces_end = min(self._graces_end, time.monotonic() + seconds)

    def fail(self, error: BaseException) -> None:
        """End the run because of what happened beside it, such as in a thread; only the first failure counts."""
        self.failure = self.failure or as_error(error)
        self._is_told.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked the run to stop."""
        return bool(self._reasons)

    @property
    def asked(self) -> int:
        """How often somebody asked the run to stop."""
        return len(self._reasons)

    @property
    def is_over(self) -> bool:
        """Whether the deadline is over."""
        return time.monotonic() >= self._deadline

    @property
    def is_urgent(self) -> bool:
        """Whether the run was asked to stop more than once: graces are over."""
        return self.asked > 1

    @property
    def grace_left(self) -> float:
        """Seconds that a step's grace may last at most; 0 if the end is urgent."""
        return 0.0 if self.is_urgent else max(0.0, self._graces_end - time.monotonic())

    @property
    def left(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self._deadline - time.monotonic())

    def wait(self, seconds: float) -> None:
        """Wait, or return early when the run has to end; then `check`."""
        self._is_told.wait(seconds)
        self.check()

    def check(self) -> None:
        """Return if the run may go on.

        Raises:
            WindtunnelError: Something failed beside the run.
            Cancelled: Somebody asked the run to stop.
            TimedOut: The deadline is over.
        """
        self.check_failure()
        if self._reasons:
            raise Cancelled(self._reasons[0])
        if self.is_over:
            raise TimedOut(f"the run took longer than its timeout of {self.timeout:g} s")

    def check_failure(self) -> None:
        """Raise what failed beside the run, if something did (WindtunnelError)."""
        if self.failure:
            raise self.failure


class GracePeriod:
    """A while after a run's end, such as for storing it: over at its own deadline, or when somebody asks (again).

    Args:
        control: The run's control; that its time is over, or that it was cancelled before, does not matter here.
        seconds: Length of the period; None where it ends only when somebody asks.
    """

    def __init__(self, control: Control, seconds: float | None = None) -> None:
        self._control, self._seconds = control, seconds
        self._asked = control.asked
        self._deadline = time.monotonic() + (float("inf") if seconds is None else seconds)

    def check(self) -> None:
        """Return while the period goes on.

        Raises:
            Cancelled: Somebody asked the run to stop since the period began.
            TimedOut: The period is over.
        """
        if self._control.asked > self._asked:
            raise Cancelled("somebody asked to stop")
        if time.monotonic() >= self._deadline:
            raise TimedOut(f"not done within {self._seconds:g} s")


class Checked(Protocol):
    """A control that a wait asks whether it may go on."""

    def check(self) -> None:
        """Return if the wait may go on; raise if not."""


def run_cancellable(control: Checked, work: Callable[[], None]) -> None:
    """Do `work` in a thread, and ask the control meanwhile; a thread that is left behind waits for its peer in vain."""
    result: Future[None] = Future()

    def run() -> None:
        work()
        result.set_result(None)

    control.check()
    ThreadGroup(result.set_exception).start("cancellable", run)
    while not wait_for([result], POLL_SECONDS).done:
        control.check()
    result.result()
