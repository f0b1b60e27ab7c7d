"""What the parsers of closing summaries share: plain numbers, the last run in an output, measurements of a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from windtunnel.parsers.base import Measurement, MetricInfo

# As long as a number can be that is still finite, and exact in its whole part.
NUMBER = r"\d{1,15}(?:\.\d{1,15})?"
Rows = dict[str, re.Match[str]]


def any_of(patterns: Iterable[re.Pattern[str]]) -> re.Pattern[str]:
    """Return what matches a line that one of `patterns` does: most lines are none of a summary, and seen so at once."""
    return re.compile("|".join(f"(?:{pattern.pattern})" for pattern in patterns))


def last_run(lines: Iterable[str], start: re.Pattern[str], patterns: Mapping[str, re.Pattern[str]]) -> Rows:
    """Return the rows of the last run in an output: for each name, what its pattern matches first.

    Args:
        lines: The output.
        start: Matches the line with which a run's summary begins.
        patterns: Each matches a row from its begin.
    """
    is_row = any_of(patterns.values()).match
    rows: Rows = {}
    is_begun = False
    for line in lines:
        if start.match(line):
            rows, is_begun = {}, True
        if is_begun and is_row(line):
            take(line, patterns, rows)
    return rows


def take(line: str, patterns: Mapping[str, re.Pattern[str]], rows: Rows) -> None:
    """Add to `rows` what a line is the first one to match."""
    for name, pattern in patterns.items():
        if name not in rows and (match := pattern.match(line)):
            rows[name] = match


def number(rows: Rows, name: str) -> float:
    """Return the first group of a row, or 0: what did not happen is often not printed."""
    return float(rows[name][1]) if name in rows else 0.0


def measurements(
    metrics: Mapping[str, MetricInfo], values: Mapping[str, float], labels: Mapping[str, str] | None = None
) -> Iterator[Measurement]:
    """Yield a measurement of each value, in its metric's unit."""
    for name, value in values.items():
        yield Measurement(name, value, metrics[name].unit, dict(labels or {}))
