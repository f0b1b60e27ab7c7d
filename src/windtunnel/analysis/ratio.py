"""The ratio of two means that were measured apart, and how well it is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

from windtunnel.analysis.student import quantile_975
from windtunnel.run.record import MetricSummary


@dataclass(frozen=True)
class Estimate:
    """A number that was estimated, and its 95 % interval, if it is known."""

    value: float
    ci95: tuple[float, float] | None

    def divided_by(self, number: float) -> Estimate:
        """Return the estimate as a multiple of a positive number that is known exactly."""
        return Estimate(self.value / number, self.ci95 and (self.ci95[0] / number, self.ci95[1] / number))


def ratio_of_means(top: MetricSummary, bottom: MetricSummary) -> Estimate:
    """Return the mean of `top` over that of `bottom`, both above 0, with its 95 % interval.

    The interval has every ratio r for which mean(top) - r mean(bottom) could be 0 by Student's t, with the
    variances of both means. There is none where either has fewer than two values, or where the mean of
    `bottom` is not known to differ from 0: the interval would have no end.

    Source: Fieller (1954), "Some problems in interval estimation", J. R. Stat. Soc. B 16, 175-185. The variances
    may differ: the degrees of freedom are those of Satterthwaite (1946), "An approximate distribution of estimates
    of variance components", Biometrics Bulletin 2, 110-114, rounded down, which makes the interval wider.
    """
    ratio = top.mean / bottom.mean
    return Estimate(ratio, _interval(ratio, top, bottom))


def _interval(ratio: float, top: MetricSummary, bottom: MetricSummary) -> tuple[float, float] | None:
    above, below = _relative_variance(top), _relative_variance(bottom)
    if above is None or below is None or not 0 < ratio < math.inf or not math.isfinite(above + below):
        return None
    if not above + below:
        return ratio, ratio
    freedom = (above + below) ** 2 / (above**2 / (top.n - 1) + below**2 / (bottom.n - 1))
    square = quantile_975(max(1, math.floor(freedom))) ** 2
    if square * below >= 1:
        return None
    # Without units, in q = r / ratio: (1 - t² below) q² - 2 q + (1 - t² above) = 0.
    root = math.sqrt(1 - (1 - square * below) * (1 - square * above))
    return ratio * (1 - root) / (1 - square * below), ratio * (1 + root) / (1 - square * below)


def _relative_variance(metric: MetricSummary) -> float | None:
    """Return the square of the mean's standard error over the mean; None if one value tells no error."""
    if metric.stdev is None:
        return None
    share = metric.stdev / metric.mean
    return share * share / metric.n
