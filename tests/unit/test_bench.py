"""What ``make bench`` prints."""

from __future__ import annotations

import pytest

from bench.figures import HEAD, compare
from bench.scenario import Scenario


def interrupted() -> float:
    """Be stopped by Ctrl-C."""
    raise KeyboardInterrupt


def test_a_figure_is_told_before_the_next_one_is_measured() -> None:
    """A benchmark that is interrupted has told what it knew."""
    told: list[str] = []
    fast = Scenario("fast", "s", 0.5, lambda: 1.25, lambda: 1.0)
    slow = Scenario("slow", "s", 0.5, lambda: 2.0, lambda: 1.0)
    endless = Scenario("endless", "s", 0.5, interrupted, lambda: 1.0)

    with pytest.raises(KeyboardInterrupt):
        compare([fast, slow, endless], 3, told.append, lambda _name: None)

    assert told[0] == HEAD
    assert [line.split() for line in told[1:]] == [
        ["fast", "s", "1.000", "1.250", "0.250", "0.5", "ok"],
        ["slow", "s", "1.000", "2.000", "1.000", "0.5", "MISSED"],
    ]


def test_limits_that_are_missed_are_counted() -> None:
    """Also those that are a share of what it takes by hand."""
    met = Scenario("met", "s", 0.0, lambda: 1.05, lambda: 1.0, share=0.1)
    missed = Scenario("missed", "s", 9.0, lambda: 1.2, lambda: 1.0, share=0.1)

    assert compare([met, missed], 2, lambda _line: None, lambda _name: None) == 1
