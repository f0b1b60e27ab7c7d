"""What can end a run from outside."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

import pytest

from windtunnel.errors import Cancelled, TimedOut
from windtunnel.plan import Plan
from windtunnel.run.control import Control, GracePeriod


def test_a_run_may_go_on_until_its_deadline() -> None:
    """Before it, check returns; after it, check says how long the run was allowed to take."""
    control = Control(3600)
    control.check()
    assert not control.is_over
    late = Control(0)
    assert late.is_over
    with pytest.raises(TimedOut, match="longer than its timeout of 0 s"):
        late.check()


def test_a_cancelled_run_stops_for_the_first_reason() -> None:
    """Asked once it is cancelled, asked twice it is urgent, and the first reason is told."""
    control = Control(3600)
    assert (control.is_cancelled, control.is_urgent) == (False, False)
    control.cancel("by hand")
    assert (control.is_cancelled, control.is_urgent) == (True, False)
    control.cancel("again")
    assert control.is_urgent
    with pytest.raises(Cancelled, match=r"^by hand$"):
        control.check()


def test_graces_end_at_the_first_moment_that_was_named() -> None:
    """They may last as long as they are, until somebody says when this process is killed; an urgent end has none."""
    control = Control(3600)
    assert control.grace_left == math.inf
    control.end_graces(60)
    control.end_graces(3600)
    assert 0 < control.grace_left <= 60
    control.cancel("by hand")
    control.cancel("again")
    assert control.grace_left == 0


def test_a_cancel_counts_before_the_deadline() -> None:
    """A run that was cancelled is not called late."""
    control = Control(0)
    control.cancel("by hand")
    with pytest.raises(Cancelled):
        control.check()


def test_a_wait_ends_when_somebody_cancels() -> None:
    """A minute's wait is over as soon as another thread asks to stop."""
    control = Control(3600)
    began = time.monotonic()
    thread = threading.Timer(0.05, control.cancel, ["by another thread"])
    thread.start()
    with pytest.raises(Cancelled, match="by another thread"):
        control.wait(60)
    thread.join()
    assert time.monotonic() - began < 30


def test_a_wait_that_nobody_ends_just_returns() -> None:
    """After its seconds the run may go on."""
    control = Control(3600)
    began = time.monotonic()
    control.wait(0.02)
    assert time.monotonic() - began >= 0.02


def test_a_wait_past_the_deadline_is_late() -> None:
    """The deadline is asked for after each wait."""
    with pytest.raises(TimedOut):
        Control(0.001).wait(0.01)


def test_a_plans_control_has_its_timeout(plan_of: Callable[[str], Plan], single_node: str) -> None:
    """The timeout is the one that the benchmark gives."""
    text = single_node.replace('"single-node"', '"single-node"\ntimeout = "90s"')
    assert Control.for_plan(plan_of(text)).timeout == 90


def test_a_grace_period_ends_at_its_own_deadline() -> None:
    """Whatever became of the run before; without one, only somebody's asking ends it."""
    control = Control(0)
    control.cancel("by hand")
    GracePeriod(control).check()
    GracePeriod(control, 3600).check()
    with pytest.raises(TimedOut, match="not done within 0 s"):
        GracePeriod(control, 0).check()
    unending = GracePeriod(control)
    control.cancel("again")
    with pytest.raises(Cancelled):
        unending.check()
