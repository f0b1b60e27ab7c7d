"""What every parser is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Measurement:
    """One value found in a program's output.

    Attributes:
        metric: The metric's name.
        value: The number, in `unit`.
        unit: Such as ``"ms"`` or ``"1/s"``; None when it is not known.
        labels: What tells measurements of one metric apart, such as the operation tested.
        time: Seconds since the epoch, when the program said it.
    """

    metric: str
    value: float
    unit: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    time: float | None = None


@dataclass(frozen=True)
class Attempts:
    """The requests that a program made, whatever became of them; what it calls transactions counts as such.

    Attributes:
        total: Number of requests, failed ones included; 0 if none came to an end.
        failed: Number of failed requests; where a program counts one under two causes, the least it can be.
    """

    total: int
    failed: int


@dataclass(frozen=True)
class MetricInfo:
    """A metric that a parser gives: its unit and which direction is better."""

    unit: str
    better: Better | None = None


@dataclass(frozen=True)
class Parser:
    """A program's output.

    Attributes:
        name: The program's name.
        metrics: The metrics that its output holds.
        parse: Reads the lines of an output, each with its end, into measurements. It keeps none that it does not need,
            and takes time in proportion to their length. Of a program that tells how many requests failed it also
            yields the `Attempts`, even where there is nothing to measure, since not one came to its end.
    """

    name: str
    metrics: Mapping[str, MetricInfo]
    parse: Callable[[Iterable[str]], Iterable[Measurement | Attempts]]
