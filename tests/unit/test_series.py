"""Remarks on a run's own values, and changes of level in a history."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from windtunnel.analysis.series.change_points import change_points
from windtunnel.analysis.series.remarks import Remark, drift, first_value_off, outliers, remarks_on, two_levels

Floats = NDArray[np.float64]
Check = Callable[[Sequence[float]], Remark | None]

STEADY = [10.0, 10.3, 9.8, 10.1, 9.9, 10.2, 9.7, 10.0, 10.1, 9.9, 10.2, 9.8]
NORMAL = 0.03
SERIES = pytest.mark.parametrize("series", [250, pytest.param(4000, marks=pytest.mark.full)])


def gauss(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Return values with a spread of 3 %."""
    return np.exp(NORMAL * draw.standard_normal(shape))


def rounded(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Return them rounded to twice their spread."""
    return np.round(gauss(draw, shape) / 0.06) * 0.06


def long_tail(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Return values with an exponential tail on one side."""
    return 1 + NORMAL * draw.exponential(size=shape)


def on_two_levels(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Return values of which 30 % are a tenth higher than the others."""
    values: Floats = (1 + 0.01 * draw.standard_normal(shape)) * np.where(draw.random(shape) < 0.3, 1.1, 1.0)
    return values


def share(check: Check, values: Floats) -> float:
    """Return the share of series that are remarked on."""
    return float(np.mean([check(row) is not None for row in values.tolist()]))


def test_nothing_is_remarked_of_a_steady_series() -> None:
    """Nor of one that never varies, has no positive values, or is too short."""
    for values in (STEADY, [7.0] * 20, [0.0] * 20, [-value for value in STEADY], [5.0, 50.0], []):
        assert remarks_on(values) == []


@pytest.mark.parametrize("first", [13.0, 7.0])
def test_a_first_value_that_is_off_is_remarked(first: float) -> None:
    """Higher or lower, also before values that are all equal."""
    for others in (STEADY, [10.0] * 9):
        remark = first_value_off([first, *others])
        assert remark is not None
        assert remark.places == (0,)
        assert "above" in remark.message if first > 10 else "below" in remark.message
    assert first_value_off([10.5, *[10.0] * 9]) is None, "a step of 5 % may be the metric's own"


def test_a_trend_is_remarked() -> None:
    """Up or down."""
    up = drift([value + 0.2 * place for place, value in enumerate(STEADY)])
    down = drift([value - 0.2 * place for place, value in enumerate(STEADY)])
    assert up is not None
    assert down is not None
    assert ("rise" in up.message, "fall" in down.message) == (True, True)


def test_two_levels_are_remarked_once() -> None:
    """With both; those of the smaller group are no outliers besides."""
    (remark,) = remarks_on([10.0, 10.1, 11.5, 9.9, 10.0, 11.4, 10.1, 9.9, 10.0, 11.6, 10.1, 9.95])
    assert remark.code == "two_levels"
    assert remark.message == "the values lie on two levels: 9 about 10.01 and 3 about 11.5"


def test_two_steps_of_a_coarse_metric_are_no_levels() -> None:
    """Values that are either of two rounded ones may be one level between them."""
    assert two_levels([5.0, 6.0, 5.0, 6.0, 5.0, 5.0, 6.0, 5.0, 6.0, 5.0]) is None


def test_outliers_are_named() -> None:
    """All of them, though each hides the other from a test of one."""
    remark = outliers([*STEADY, 15.0, 10.0, 15.5])
    assert remark is not None
    assert remark.places == (12, 14)
    assert remark.message == "2 of 15 values are outliers: 15, 15.5"
    assert json.loads(json.dumps(remark.to_json()))["code"] == "outliers"


@SERIES
@pytest.mark.parametrize("length", [10, 20, pytest.param(40, marks=pytest.mark.full)])
@pytest.mark.parametrize("kind", [gauss, rounded, long_tail], ids=["gauss", "rounded", "long tail"])
def test_remarks_are_rarely_made_of_nothing(
    kind: Callable[[np.random.Generator, tuple[int, int]], Floats], length: int, series: int
) -> None:
    """Of some 1 % of series; a long tail has first values that are off in 5 %, and outliers by nature."""
    values = kind(np.random.default_rng([length, 2]), (series, length))
    most = 0.02 if series > 1000 else 0.03
    is_tailed = kind is long_tail
    assert share(first_value_off, values) <= (0.055 if is_tailed else most)
    assert share(drift, values) <= most
    assert share(two_levels, values) <= (0.04 if is_tailed else most)
    assert is_tailed or share(outliers, values) <= most


@SERIES
def test_what_is_there_is_mostly_remarked(series: int) -> None:
    """In 20 iterations: a first one 20 % higher, a trend of 10 %, two levels a tenth apart, an outlier of 30 %."""
    draw = np.random.default_rng(3)
    normal = gauss(draw, (series, 20))
    cold, high = normal.copy(), normal.copy()
    cold[:, 0] *= 1.2
    high[:, 10] *= 1.3
    assert share(first_value_off, cold) >= 0.97
    assert share(drift, normal * np.exp(np.linspace(0, 0.1, 20))) >= 0.8
    assert share(two_levels, on_two_levels(draw, (series, 20))) >= 0.9
    assert share(outliers, high) >= 0.97


def history(
    draw: np.random.Generator, before: int, after: int, step: float = 1.05, spread: float = 0.01
) -> list[float]:
    """Return a history with one step."""
    values = np.exp(spread * draw.standard_normal(before + after))
    values[before:] *= step
    return [float(value) for value in values]


def test_a_step_is_found_where_it_is() -> None:
    """With its size, and sure from five runs on each side on."""
    (sure,) = change_points(history(np.random.default_rng(1), 20, 6))
    assert (sure.place, sure.is_sure) == (20, True)
    assert sure.change == pytest.approx(0.05, abs=0.01)
    assert sure.p <= 0.005
    (possible,) = change_points(history(np.random.default_rng(1), 20, 3))
    assert (possible.place, possible.is_sure) == (20, False)


def test_two_runs_are_no_new_level() -> None:
    """However far they are."""
    assert change_points(history(np.random.default_rng(1), 30, 2, step=2.0)) == []
    assert change_points([1.0, 2.0, 3.0, 4.0, 5.0]) == []


def test_every_step_is_found_and_each_has_its_own_size() -> None:
    """A history with a step up and one down again."""
    values = history(np.random.default_rng(2), 15, 15, 1.1) + history(np.random.default_rng(3), 15, 0)
    first, second = change_points(values)
    assert (first.place, second.place) == (15, 30)
    assert first.change == pytest.approx(0.1, abs=0.02)
    assert second.change == pytest.approx(-0.09, abs=0.02)
    assert change_points(values) == [first, second], "the same history has the same changes each time"


def test_a_step_among_outliers_is_found_by_ranks() -> None:
    """The mean of a history with spikes hides it."""
    values = history(np.random.default_rng(4), 30, 15)
    values[::7] = [value * 1.5 for value in values[::7]]
    assert any(abs(point.place - 30) <= 1 for point in change_points(values))


def test_a_change_below_the_threshold_is_none() -> None:
    """Where 2 % do not matter; and differences in the unit count where values are not above 0."""
    values = history(np.random.default_rng(5), 20, 20, 1.03, spread=0.002)
    assert change_points(values)
    assert change_points(values, threshold=0.05) == []
    (point,) = change_points([0.0, 1.0] * 10 + [7.0, 8.0] * 10, threshold=2.0)
    assert (point.place, point.change) == (20, 7.0)


def test_equal_values_have_no_steps() -> None:
    """Nor have values of which a single one differs."""
    assert change_points([5.0] * 40) == []
    assert change_points([5.0] * 20 + [6.0] + [5.0] * 20) == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("histories", "length"),
    [(200, 20), pytest.param(1000, 20, marks=pytest.mark.full), pytest.param(1000, 60, marks=pytest.mark.full)],
)
def test_steady_histories_rarely_have_steps(histories: int, length: int) -> None:
    """Of 100 histories with spikes, or on two levels, 2 at most have any; a new level is mostly found in eight runs."""
    draw = np.random.default_rng([6, length])
    spikes = np.exp(0.02 * draw.standard_normal((histories, length)) + 0.15 * (draw.random((histories, length)) < 0.05))
    for values in (spikes, on_two_levels(draw, (histories, length))):
        assert sum(bool(change_points(row)) for row in values.tolist()) <= 0.02 * histories
    found = [change_points(history(draw, 40, 8, spread=0.02)) for _history in range(histories)]
    assert sum(any(abs(point.place - 40) <= 2 for point in points) for points in found) >= 0.86 * histories
