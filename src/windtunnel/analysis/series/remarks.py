"""Remarks on a run's own values, one an iteration, in their order; nothing is ever left out because of one."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from windtunnel.analysis.comparison.effect import ROUNDING_STDEV
from windtunnel.analysis.comparison.metric import Scale, on_scale, resolution
from windtunnel.analysis.distributions import normal_below, t_quantile, t_two_sided
from windtunnel.analysis.series.levels import split_in_two

LEVEL = 0.01
"""How often a remark is made of a series of normal values in which nothing is to be remarked."""
_FEWEST_FOR_FIRST = 8
_FEWEST_FOR_DRIFT = 10
_FEWEST_FOR_OUTLIERS = 10
_OUTLIERS_SHARE = 0.2
_STEP_OF_EQUALS = 0.1
"""How far a value is from others that are all equal before it is off: how coarse the metric is they do not tell."""


@dataclass(frozen=True)
class Remark:
    """What strikes of a series.

    Attributes:
        code: A stable word for machines.
        message: A sentence for a person.
        places: The values that it is about, counted from 0; none if it is about all.
    """

    code: Literal["first_value_off", "drift", "two_levels", "outliers"]
    message: str
    places: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return asdict(self)


def remarks_on(values: Sequence[float]) -> list[Remark]:
    """Return all remarks on a series; what lies on a second level is no outlier."""
    levels = two_levels(values)
    found = (first_value_off(values), drift(values), levels or outliers(values))
    return [remark for remark in found if remark]


def first_value_off(values: Sequence[float]) -> Remark | None:
    """Return that the first of eight values or more is not like the others: the warm-up may not be over.

    Source: Hahn and Meeker (1991), "Statistical intervals", 4.8: Student's prediction interval, at 99 %.
    """
    if len(values) < _FEWEST_FOR_FIRST:
        return None
    scale = _scale_of(values)
    first, *others = on_scale(values, scale)
    spread = _spread(values[1:], scale)
    distance = first - statistics.mean(others)
    if spread:
        statistic = distance / (spread * math.sqrt(1 + 1 / len(others)))
        is_off = t_two_sided(statistic, len(others) - 1) < LEVEL
    else:
        is_off = _is_far_from_equals(distance, others[0], scale)
    side = "above" if distance > 0 else "below"
    message = f"the first value, {values[0]:.4g}, is far {side} all others: the warm-up may not be over"
    return Remark("first_value_off", message, (0,)) if is_off else None


def drift(values: Sequence[float]) -> Remark | None:
    """Return that ten values or more rise or fall from the first to the last.

    Source: Mann (1945), "Nonparametric tests against trend", Econometrica 13, 245-259: Kendall's rank correlation with
    time, by its normal approximation with ties, corrected for continuity, at 1 % of both sides.
    """
    if len(values) < _FEWEST_FOR_DRIFT:
        return None
    score, earlier = 0, list[float]()
    for value in values:
        below, not_above = bisect_left(earlier, value), bisect_right(earlier, value)
        score += below - (len(earlier) - not_above)
        insort(earlier, value)
    groups = [len(values), *(-size for size in Counter(values).values())]
    variance = sum(abs(n) * (abs(n) - 1) * (2 * abs(n) + 5) * math.copysign(1, n) for n in groups) / 18
    if variance <= 0 or 2 * normal_below(-(abs(score) - 1) / math.sqrt(variance)) >= LEVEL:
        return None
    return Remark("drift", f"the values {'rise' if score > 0 else 'fall'} from the first to the last")


def two_levels(values: Sequence[float]) -> Remark | None:
    """Return that values lie on two levels with little between them, each with 15 % of them and three at least.

    Source: Ashman, Bird and Zepf (1994), "Detecting bimodality in astronomical datasets", Astron. J. 108, 2348-2361:
    the distance of two groups over their spreads. Their D > 2 is a clean division of two known groups; the best of all
    divisions of one group has more by chance, so here it is D > 6.
    """
    scale = _scale_of(values)
    levels = split_in_two(on_scale(values, scale), resolution(values, scale))
    if not levels:
        return None
    low, high = (sorted(values)[: levels.lower], sorted(values)[levels.lower :])
    message = (
        f"the values lie on two levels: {len(low)} about {statistics.fmean(low):.4g} "
        f"and {len(high)} about {statistics.fmean(high):.4g}"
    )
    return Remark("two_levels", message)


def outliers(values: Sequence[float]) -> Remark | None:
    """Return which of ten values or more are outliers, up to a fifth of them.

    Source: Rosner (1983), "Percentage points for a generalized ESD many-outlier procedure", Technometrics 25, 165-172,
    at 1 %: of normal values. Distributions with long tails have outliers by nature.
    """
    if len(values) < _FEWEST_FOR_OUTLIERS:
        return None
    scale = _scale_of(values)
    scaled = on_scale(values, scale)
    left = list(range(len(values)))
    taken: list[int] = []
    outliers_until = 0
    for _candidate in range(int(_OUTLIERS_SHARE * len(values))):
        middle = statistics.fmean(scaled[place] for place in left)
        farthest = max(left, key=lambda place, middle=middle: abs(scaled[place] - middle))  # type: ignore[misc]
        spread = _spread([values[place] for place in left], scale)
        distance = abs(scaled[farthest] - middle)
        others = [place for place in left if place != farthest]
        if len({values[place] for place in others}) == 1:
            is_out = _is_far_from_equals(scaled[farthest] - scaled[others[0]], scaled[others[0]], scale)
        else:
            is_out = distance > _critical_distance(len(left)) * spread
        left = others
        taken.append(farthest)
        outliers_until = len(taken) if is_out else outliers_until
    places = tuple(sorted(taken[:outliers_until]))
    if not places:
        return None
    named = ", ".join(f"{values[place]:.4g}" for place in places)
    return Remark("outliers", f"{len(places)} of {len(values)} values are outliers: {named}", places)


def _critical_distance(number: int) -> float:
    """Return how many standard deviations the farthest of so many values may be from their mean."""
    quantile = t_quantile(1 - LEVEL / (2 * number), number - 2)
    return (number - 1) * quantile / math.sqrt((number - 2 + quantile**2) * number)


def _scale_of(values: Sequence[float]) -> Scale:
    return "ratio" if values and min(values) > 0 else "difference"


def _spread(values: Sequence[float], scale: Scale) -> float:
    """Return the standard deviation on a scale, which rounding does not make smaller than its own."""
    return max(statistics.stdev(on_scale(values, scale)), resolution(values, scale) * ROUNDING_STDEV)


def _is_far_from_equals(distance: float, equal: float, scale: Scale) -> bool:
    limit = math.log1p(_STEP_OF_EQUALS) if scale == "ratio" else _STEP_OF_EQUALS * abs(equal)
    return abs(distance) > limit
