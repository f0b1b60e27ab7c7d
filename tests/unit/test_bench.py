"""What ``make bench`` prints."""

from __future__ import annotations

import pytest

from bench.figures import HEAD, compare
from bench.scenario import Scenario
from bench.ways import Course, Way, as_table


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


def test_a_ways_stages_are_their_least_and_one_that_it_has_not_is_part_of_the_next() -> None:
    """A busy machine makes a stage longer, never shorter; when a worker looks for work is a matter of chance."""
    ends = [(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0), (4.0, 4.5, 5.0, 9.0, 9.5, 10.0, 13.0, 20.0)]
    jobs = Way([Course(0.0, each) for each in ends])
    command = Way([Course(0.0, (None, None, None, 0.1, 0.6, 1.0, 3.0, 4.0))])
    late = Course(100.4, (None, None, 100.0, 102.0, 103.0, 104.0, 105.0, 106.0))
    row = [list(column.cells) for column in as_table({"run": command, "jobs": jobs}, 2).columns]

    assert jobs.stages == [2.5, 0.5, 0.5, 1.0, 0.5, 0.5, 1.0, 1.0]
    assert command.stages == pytest.approx([None, None, None, 0.1, 0.5, 0.4, 2.0, 1.0])
    assert row[1:3] == [["4.0", "7.5"], ["0.0", "3.5"]]
    # The API's time of a container has whole seconds.
    assert late.seconds[2:4] == pytest.approx([0.0, 1.6])


def test_limits_that_are_missed_are_counted() -> None:
    """Also those that are a share of what it takes by hand."""
    met = Scenario("met", "s", 0.0, lambda: 1.05, lambda: 1.0, share=0.1)
    missed = Scenario("missed", "s", 9.0, lambda: 1.2, lambda: 1.0, share=0.1)

    assert compare([met, missed], 2, lambda _line: None, lambda _name: None) == 1
