"""What the parsers of closing summaries share: plain numbers, the last run in a text, measurements of a table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from windtunnel.parsers.base import Measurement, MetricInfo

# As long as a number can be that is still finite, and exact in its whole part.
NUMBER = r"\d{1,15}(?:\.\d{1,15})?"


def last_run(start: re.Pattern[str], text: str) -> str:
    """Return the text from the last match of `start` on; nothing, where there is none."""
    begin = -1
    for match in start.finditer(text):
        begin = match.start()
    return text[begin:] if begin >= 0 else ""


def count(pattern: re.Pattern[str], text: str) -> float:
    """Return the first group of the first match, or 0: what did not happen is often not printed."""
    match = pattern.search(text)
    return float(match[1]) if match else 0.0


def measurements(
    metrics: Mapping[str, MetricInfo], values: Mapping[str, float], labels: Mapping[str, str] | None = None
) -> Iterator[Measurement]:
    """Yield a measurement of each value, in its metric's unit."""
    for name, value in values.items():
        yield Measurement(name, value, metrics[name].unit, dict(labels or {}))
