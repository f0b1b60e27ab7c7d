"""The ratio of two means and its interval."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence

import pytest
from scipy.special import stdtrit

from windtunnel.analysis.ratio import ratio_of_means
from windtunnel.analysis.statistics import confidence_interval
from windtunnel.run.record import MetricSummary


def summary(values: Sequence[float]) -> MetricSummary:
    """Return the summary of these values, one an iteration."""
    mean, stdev = statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None
    fields = {"unit": None, "better": None, "median": mean, "p50": mean, "p90": mean, "p99": mean, "samples": 1}
    ci95 = confidence_interval(values)
    return MetricSummary.model_validate(
        fields | {"n": len(values), "mean": mean, "stdev": stdev, "ci95": ci95, "values": values}
    )


def test_the_interval_ends_where_the_difference_is_no_longer_zero() -> None:
    """By Fieller: mean(top) - r mean(bottom) is t times its own standard error at both ends."""
    top, bottom = [10.1, 9.8, 10.4, 9.9, 10.2], [5.2, 5.0, 5.3, 4.9, 5.1]
    found = ratio_of_means(summary(top), summary(bottom))
    variances = [statistics.variance(values) / 5 for values in (top, bottom)]
    shares = [variance / statistics.fmean(v) ** 2 for variance, v in zip(variances, (top, bottom), strict=True)]
    freedom = math.floor(sum(shares) ** 2 / sum(share**2 / 4 for share in shares))

    assert found.value == pytest.approx(statistics.fmean(top) / statistics.fmean(bottom))
    assert found.ci95 is not None
    assert found.ci95[0] < found.value < found.ci95[1]
    for end in found.ci95:
        distance = abs(statistics.fmean(top) - end * statistics.fmean(bottom))
        error = math.sqrt(variances[0] + end**2 * variances[1])
        assert distance == pytest.approx(stdtrit(freedom, 0.975) * error, rel=1e-6)


@pytest.mark.long
@pytest.mark.parametrize(
    "number", [3, pytest.param(5, marks=pytest.mark.full), pytest.param(20, marks=pytest.mark.full)]
)
@pytest.mark.parametrize("spreads", [(0.05, 0.05), (0.2, 0.02), (0.02, 0.2)])
def test_most_intervals_hold_the_true_ratio(number: int, spreads: tuple[float, float]) -> None:
    """Of 2000 sweeps with known means at least 94 % do: rounding the degrees of freedom down makes it no less."""
    draw = random.Random(7)
    held = 0
    for _sweep in range(2000):
        top = [draw.gauss(6.0, 6.0 * spreads[0]) for _value in range(number)]
        bottom = [draw.gauss(2.0, 2.0 * spreads[1]) for _value in range(number)]
        low, high = ratio_of_means(summary(top), summary(bottom)).ci95 or (-math.inf, math.inf)
        held += low <= 3.0 <= high
    assert held >= 0.94 * 2000


def test_numbers_without_spread_have_an_interval_without_width() -> None:
    """Counts that are the same in each iteration are known exactly, and so is their ratio."""
    assert ratio_of_means(summary([6.0] * 3), summary([2.0] * 3)).ci95 == (3.0, 3.0)


@pytest.mark.parametrize(
    ("top", "bottom"), [([6.0], [2.0, 2.1, 1.9]), ([6.0, 6.1, 5.9], [2.0]), ([6.0, 6.1], [0.1, 4])]
)
def test_what_is_not_known_has_no_interval(top: list[float], bottom: list[float]) -> None:
    """One value tells no error, and over a mean that may as well be 0 the ratio may be anything."""
    assert ratio_of_means(summary(top), summary(bottom)).ci95 is None


@pytest.mark.parametrize("values", [[1e300, 2e300, 3e300], [1e-300, 2e-300, 3e-300]])
def test_numbers_of_any_size_have_a_ratio(values: list[float]) -> None:
    """Nothing overflows on the way to a ratio that is none too large itself."""
    found = ratio_of_means(summary(values), summary(values))
    assert found.value == 1
    assert found.ci95 is None or all(map(math.isfinite, found.ci95))
