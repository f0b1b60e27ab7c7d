"""Outputs of real load generators, in `tests/unit/outputs`, and what the parsers find in them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

from windtunnel.parsers import PARSERS, Attempts, Measurement

OUTPUTS = Path(__file__).parents[1] / "unit" / "outputs"


def measure(parser: str, text: str) -> dict[tuple[str, str], float]:
    """Return the values that a parser finds, by the value of the label and the metric."""
    return {("".join(item.labels.values()), item.metric): item.value for item in measurements(parser, text)}


def parse(parser: str, text: str) -> Iterable[Measurement | Attempts]:
    """Return what a parser finds in a text, which it is given as a log is: line by line."""
    return PARSERS[parser].parse(io.StringIO(text, newline=None))


def measurements(parser: str, text: str) -> list[Measurement]:
    """Return the measurements that a parser finds."""
    return [item for item in parse(parser, text) if isinstance(item, Measurement)]


def attempts(name: str, text: str | None = None) -> Attempts | None:
    """Return the requests that an output, or another text, tells of; the name begins with the parser's."""
    found = parse(name.partition("_")[0], text or read(f"{name}.txt", raw=False))
    return next((item for item in found if isinstance(item, Attempts)), None)


def read(name: str, *, raw: bool) -> str:
    """Return an output with its carriage returns, or with lines as a text file has them."""
    text = (OUTPUTS / name).read_bytes().decode()
    return text if raw else text.replace("\r", "\n")


def values(name: str) -> dict[str, float]:
    """Return what is found in an output without labels; its name begins with the parser's."""
    found = measure(name.partition("_")[0], read(f"{name}.txt", raw=False))
    assert all(label == "" for label, _metric in found)
    return {metric: value for (_label, metric), value in found.items()}
