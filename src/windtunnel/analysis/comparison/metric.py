"""What is compared, on which scale, and from which difference on it matters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Better = Literal["higher", "lower"]
Scale = Literal["ratio", "difference"]

DEFAULT_SHARE = 0.02


@dataclass(frozen=True)
class Threshold:
    """The smallest difference that matters: a share of the value, or a number in the metric's unit.

    Attributes:
        share: The share, 0.02 for 2 %; it counts where there is no `absolute`.
        absolute: The number in the metric's unit. A metric that has one is always compared in its unit.
    """

    share: float = DEFAULT_SHARE
    absolute: float | None = None


@dataclass(frozen=True)
class ComparedMetric:
    """One metric of both sides.

    Attributes:
        name: The metric's series, such as ``latency`` or ``latency{test=GET}``.
        better: Which values are better; None if the benchmark does not say.
        gates: Whether the verdict depends on it.
        threshold: The smallest difference that matters.
    """

    name: str
    better: Better | None
    gates: bool = False
    threshold: Threshold = Threshold()

    @property
    def sign(self) -> int:
        """What turns "more" into "worse": -1 if higher values are better, else 1."""
        return -1 if self.better == "higher" else 1

    def scale_of(self, values: Sequence[float]) -> Scale:
        """Return the scale to compare all these values of both sides on.

        Where all are above 0 it is their ratio, by logarithms: what disturbs a computer takes a share of the time.
        """
        is_ratio = self.threshold.absolute is None and min(values) > 0
        return "ratio" if is_ratio else "difference"

    def zone(self, scale: Scale) -> float | None:
        """Return the threshold on a scale; None if it has none there, and no word can be said."""
        return math.log1p(self.threshold.share) if scale == "ratio" else self.threshold.absolute


def on_scale(values: Sequence[float], scale: Scale) -> list[float]:
    """Return values as they are added and subtracted: their logarithms for a ratio."""
    return [math.log(value) for value in values] if scale == "ratio" else list(values)


def resolution(values: Sequence[float], scale: Scale) -> float:
    """Return what a metric can tell apart: the smallest step between two different values of it.

    On the scale of ratios it is a share of the mean. A metric that rounds has less spread than what it measures.
    """
    steps = sorted(set(values))
    step = min((after - before for before, after in pairwise(steps)), default=0.0)
    # Of numbers near the largest ones the sum would be infinite.
    return step / steps[-1] / (sum(value / steps[-1] for value in values) / len(values)) if scale == "ratio" else step
