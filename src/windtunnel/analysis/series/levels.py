"""Two groups of values, and whether they are apart."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

FEWEST = 3
SHARE = 0.15
ASHMAN = 6.0
_ROUNDING_VARIANCE = 1 / 12


@dataclass(frozen=True)
class TwoLevels:
    """Two groups that are apart.

    Attributes:
        lower: How many values are in the lower one.
        ashman: Their distance over their spreads, Ashman's D.
    """

    lower: int
    ashman: float


def split_in_two(values: Sequence[float], step: float) -> TwoLevels | None:
    """Return the two groups with the smallest squares within them, if they are apart; each has some values.

    Source: Fisher (1958), "On grouping for maximum homogeneity", J. Am. Stat. Assoc. 53, 789-798, for the groups.

    Args:
        values: The values, on the scale on which they are added.
        step: What the values are rounded to: a group of equal ones has its spread all the same.
    """
    fewest = max(FEWEST, math.ceil(SHARE * len(values)))
    if len(values) < 2 * fewest:
        return None
    # About their mean, or the squares of large numbers hide the differences.
    middle = statistics.fmean(values)
    ordered = sorted(value - middle for value in values)
    sums = list(accumulate(ordered))
    squares = list(accumulate(value * value for value in ordered))

    def within(lower: int) -> tuple[float, float]:
        """Return the squares within both groups."""
        upper = len(ordered) - lower
        low, high = sums[lower - 1], sums[-1] - sums[lower - 1]
        below = squares[lower - 1] - low * low / lower
        above = squares[-1] - squares[lower - 1] - high * high / upper
        return max(0.0, below), max(0.0, above)

    lower = min(range(fewest, len(ordered) - fewest + 1), key=lambda place: sum(within(place)))
    below, above = within(lower)
    floor = step * step * _ROUNDING_VARIANCE
    variances = max(below / (lower - 1), floor) + max(above / (len(ordered) - lower - 1), floor)
    distance = statistics.fmean(ordered[lower:]) - statistics.fmean(ordered[:lower])
    if not variances or distance * math.sqrt(2 / variances) <= ASHMAN:
        return None
    return TwoLevels(lower, distance * math.sqrt(2 / variances))
