"""How much worse one side is, and how well that is known."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from windtunnel.analysis.comparison.metric import Better, ComparedMetric, Scale, on_scale, resolution
from windtunnel.analysis.distributions import t_quantile, t_two_sided

ALPHA = 0.05
"""How often a whole comparison may say that equals differ."""
ROUNDING_STDEV = 1 / math.sqrt(12)
"""The standard deviation of a rounded value's error, as a share of the step: that of a uniform distribution."""

_LARGEST_EXPONENT = 700.0
"""The exponential of more is hardly a number any longer."""


@dataclass(frozen=True)
class Effect:
    """How much worse the candidate is than the baseline.

    Attributes:
        scale: What `size` and `error` are of: logarithms of ratios, or differences in the metric's unit.
        better: Which values of the metric are better; None reads like "lower".
        size: The estimate; above 0 the candidate is worse.
        error: The standard error of `size`.
        freedom: The degrees of freedom of `error`.
        p: The probability of an estimate as far from 0 if there is no difference, by Student's t.
    """

    scale: Scale
    better: Better | None
    size: float
    error: float
    freedom: float
    p: float

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the interval of `size` that misses the truth with probability `alpha`."""
        half = t_quantile(1 - alpha / 2, self.freedom) * self.error
        return self.size - half, self.size + half

    def change(self, size: float) -> float:
        """Return a size as a change of the metric: the candidate's value over the baseline's less 1, or in its unit.

        It is above 0 if the candidate's values are higher, better or not.
        """
        raw = -size if self.better == "higher" else size
        return math.expm1(min(raw, _LARGEST_EXPONENT)) if self.scale == "ratio" else raw

    def change_interval(self, alpha: float) -> tuple[float, float]:
        """Return the interval of the change, its lower end first."""
        low, high = sorted(self.change(end) for end in self.interval(alpha))
        return low, high


def worse_by_round(baseline: Sequence[float], candidate: Sequence[float], metric: ComparedMetric) -> list[float]:
    """Return how much worse the candidate was in each round; both sides' run values are in the rounds' order."""
    scale = metric.scale_of([*baseline, *candidate])
    pairs = zip(on_scale(baseline, scale), on_scale(candidate, scale), strict=True)
    return [metric.sign * (after - before) for before, after in pairs]


def paired_effect(baseline: Sequence[float], candidate: Sequence[float], metric: ComparedMetric) -> Effect:
    """Return the effect over two or more rounds, from each round's difference.

    What slowed down both runs of a round is in neither's disfavour, whatever drifts. The spread is at least that of a
    difference of two rounded values, or five values that are rounded alike would be known exactly.

    Source: Student (1908), "The probable error of a mean" (paired); spread of rounding: Sheppard (1898).
    """
    rounds = worse_by_round(baseline, candidate, metric)
    values = [*baseline, *candidate]
    scale = metric.scale_of(values)
    floor = resolution(values, scale) * math.sqrt(2) * ROUNDING_STDEV
    spread = max(statistics.stdev(rounds), floor)
    return _effect(scale, metric, statistics.fmean(rounds), spread / math.sqrt(len(rounds)), len(rounds) - 1)


def unpaired_effect(baseline: Sequence[float], candidate: Sequence[float], metric: ComparedMetric) -> Effect:
    """Return the effect between sides that were measured apart, from two or more run values of each.

    It is the less certain one of two: Welch's, which is right if the sides' spreads differ, and Student's with a common
    spread. Where one side has many runs and the other five, these five may all be on one of two levels; Welch takes
    their spread for the truth, and calls equals different in 15 to 27 of 100 comparisons.

    Source: Welch (1947), "The generalization of 'Student's' problem when several different population variances are
    involved", Biometrika 34, 28-35, with the degrees of freedom of Satterthwaite (1946).
    """
    values = [*baseline, *candidate]
    scale = metric.scale_of(values)
    floor = resolution(values, scale) * ROUNDING_STDEV
    before, after = (on_scale(side, scale) for side in (baseline, candidate))
    # The exact mean: that of equal numbers is one of them, or no spread would look like a sure difference.
    size = metric.sign * (statistics.mean(after) - statistics.mean(before))
    variances = [max(statistics.stdev(side), floor) ** 2 for side in (before, after)]
    found = (_effect(scale, metric, size, *way(variances, (len(before), len(after)))) for way in (_welch, _pooled))
    return max(found, key=lambda effect: effect.interval(ALPHA)[1])


def _welch(variances: Sequence[float], numbers: Sequence[int]) -> tuple[float, float]:
    """Return the error of a difference of means, and its degrees of freedom."""
    shares = [variance / number for variance, number in zip(variances, numbers, strict=True)]
    parts = sum(share**2 / (number - 1) for share, number in zip(shares, numbers, strict=True))
    # Without any spread any number of them gives the same.
    return math.sqrt(sum(shares)), sum(shares) ** 2 / parts if parts else 1.0


def _pooled(variances: Sequence[float], numbers: Sequence[int]) -> tuple[float, float]:
    """Return the error of a difference of means with a common spread, and its degrees of freedom."""
    freedom = sum(numbers) - len(numbers)
    squares = sum(variance * (number - 1) for variance, number in zip(variances, numbers, strict=True))
    return math.sqrt(squares / freedom * sum(1 / number for number in numbers)), freedom


def prediction_effect(baseline: Sequence[float], candidate: Sequence[float], metric: ComparedMetric) -> Effect:
    """Return the effect where one side is a single run: how far it is from where the other's next one would be.

    Source: Hahn and Meeker (1991), "Statistical intervals", 4.8: Student's t with the error s sqrt(1 + 1/n).
    """
    values = [*baseline, *candidate]
    scale = metric.scale_of(values)
    many = on_scale(max(baseline, candidate, key=len), scale)
    spread = max(statistics.stdev(many), resolution(values, scale) * ROUNDING_STDEV)
    before, after = (statistics.mean(on_scale(side, scale)) for side in (baseline, candidate))
    error = spread * math.sqrt(1 + 1 / len(many))
    return _effect(scale, metric, metric.sign * (after - before), error, len(many) - 1)


def _effect(scale: Scale, metric: ComparedMetric, size: float, error: float, freedom: float) -> Effect:
    p_without_error = 0.0 if size else 1.0
    p = t_two_sided(size / error, freedom) if error else p_without_error
    return Effect(scale, metric.better, size, error, freedom, p)
