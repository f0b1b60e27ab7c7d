"""Effects, their words, and what can be seen: single cases."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence

import pytest
from scipy import stats

from windtunnel.analysis.comparison.effect import paired_effect, prediction_effect, unpaired_effect
from windtunnel.analysis.comparison.metric import ComparedMetric, Threshold, resolution
from windtunnel.analysis.comparison.power import (
    chance_of_worse,
    detectable_effect,
    power,
    rounds_needed,
    upper_spread,
)
from windtunnel.analysis.comparison.verdict import Word, holm, overall, word_for

TIME = ComparedMetric("time", "lower", gates=True)
RATE = ComparedMetric("rate", "higher", gates=True)
ERRORS = ComparedMetric("errors", "lower", gates=True, threshold=Threshold(absolute=0.5))


def word(baseline: Sequence[float], candidate: Sequence[float], metric: ComparedMetric = TIME) -> Word:
    """Return the word for one metric at one look."""
    effect = paired_effect(baseline, candidate, metric)
    return word_for(effect, effect.p, metric.zone(effect.scale), 0.05)


@pytest.mark.parametrize(
    ("baseline", "candidate", "expected"),
    [
        ([5.0] * 5, [5.0] * 5, "same"),
        ([1000.0] * 5, [1030.0] * 5, "worse"),
        ([1030.0] * 5, [1000.0] * 5, "better"),
        ([1000.0] * 5, [1010.0] * 5, "same"),
        ([5.0] * 5, [5.0] * 4 + [6.0], "unknown"),
        ([100.0, 101, 99, 100, 102], [100.0, 90, 112, 101, 95], "unknown"),
        ([1e308] * 5, [1.2e308] * 5, "worse"),
        ([1e-308, 1.1e-308, 1e-308, 1.1e-308, 1e-308], [2e300] * 5, "worse"),
    ],
)
def test_a_word_is_said_where_the_numbers_carry_it(
    baseline: list[float], candidate: list[float], expected: Word
) -> None:
    """Without spread a metric's own steps are its spread: one odd value in five is no difference yet."""
    assert word(baseline, candidate) == expected


def test_equal_numbers_of_a_coarse_metric_are_not_known_exactly() -> None:
    """Five rounds that differ by one step of the metric are by chance in 1 of 185, as if each was rounded."""
    effect = paired_effect([1000.0] * 5, [1030.0] * 5, TIME)
    assert effect.error == pytest.approx(30 / 1015 / math.sqrt(6) / math.sqrt(5))
    assert effect.p == pytest.approx(1 / 185, rel=0.02)


def test_where_more_is_better_less_is_worse() -> None:
    """A rate that is halved is worse, and its change is below 0."""
    effect = paired_effect([100.0, 101, 99, 100, 102], [50.0, 51, 49, 50, 52], RATE)
    assert word_for(effect, effect.p, RATE.zone(effect.scale), 0.05) == "worse"
    assert effect.size > 0
    assert effect.change(effect.size) == pytest.approx(-0.498, abs=0.002)
    low, high = effect.change_interval(0.05)
    assert low < effect.change(effect.size) < high < 0


def test_zeros_are_compared_in_the_metrics_own_unit() -> None:
    """Errors where there were none are worse, by a threshold in errors; without one only equal numbers have a word."""
    none, some = [0.0] * 5, [3.0, 2, 4, 3, 2]
    assert word(none, some, ERRORS) == "worse"
    assert word(none, none, ERRORS) == "same"
    assert word(none, some) == "unknown"
    assert word(none, none) == "same"
    assert paired_effect(none, some, ERRORS).change(2.8) == 2.8


def test_a_threshold_in_the_unit_keeps_the_unit_whatever_the_values_are() -> None:
    """A zero in a later round does not turn shares into differences."""
    assert paired_effect([2.0, 3, 2], [3.0, 3, 2], ERRORS).scale == "difference"


def test_a_change_too_large_for_a_number_is_still_one() -> None:
    """The end of an interval of ratios is a number that JSON can hold, however little is known."""
    effect = paired_effect([1e-300, 1.0], [1.0, 1e-300], TIME)
    assert all(map(math.isfinite, effect.change_interval(0.01)))


def test_the_paired_effect_is_student_s() -> None:
    """It is what SciPy gives for the logarithms."""
    before, after = [10.1, 9.7, 10.4, 9.9, 10.6], [10.4, 9.9, 10.3, 10.4, 11.0]
    effect = paired_effect(before, after, TIME)
    known = stats.ttest_rel([math.log(value) for value in after], [math.log(value) for value in before])
    assert effect.p == pytest.approx(known.pvalue)
    assert effect.interval(0.05) == pytest.approx(tuple(known.confidence_interval(0.95)))


def test_the_effect_between_runs_measured_apart_is_the_less_certain_one() -> None:
    """Welch's or Student's, as SciPy gives them for the logarithms: whichever the wider interval is of."""
    narrow, wide = [10.1, 9.7, 10.4, 9.9, 10.6], [10.4, 9.2, 11.3, 10.4, 11.0, 12.0, 9.0, 10.8, 9.9]
    for before, after, is_pooled in ((narrow, wide, True), (wide[:5], narrow * 3, False)):
        effect = unpaired_effect(before, after, TIME)
        logs = [[math.log(value) for value in side] for side in (after, before)]
        known, other = (stats.ttest_ind(*logs, equal_var=is_equal) for is_equal in (is_pooled, not is_pooled))
        assert effect.p == pytest.approx(known.pvalue)
        assert effect.interval(0.05) == pytest.approx(tuple(known.confidence_interval(0.95)))
        assert known.confidence_interval(0.95).high > other.confidence_interval(0.95).high


def test_sides_without_spread_differ_by_what_they_differ() -> None:
    """Counts that never vary are the same, or are not."""
    assert unpaired_effect([7.0] * 5, [7.0] * 6, TIME).p == 1
    assert unpaired_effect([0.0] * 5, [0.0] * 5, ERRORS).error == 0


def test_one_run_is_compared_with_where_the_next_one_would_be() -> None:
    """The error is that of a single run and of the mean, on whichever side the single run is."""
    many = [10.1, 9.7, 10.4, 9.9, 10.6, 10.0, 10.2, 9.8]
    effect = prediction_effect(many, [11.5], TIME)
    logs = [math.log(value) for value in many]
    assert effect.size == pytest.approx(math.log(11.5) - statistics.fmean(logs))
    assert effect.error == pytest.approx(statistics.stdev(logs) * math.sqrt(1 + 1 / 8))
    assert effect.freedom == 7
    assert prediction_effect([11.5], many, TIME).size == pytest.approx(-effect.size)


def test_holm_multiplies_by_what_is_left() -> None:
    """The smallest p-value by all, the next by one less; a larger one never becomes a smaller one."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["same", "better", "unknown"], "unknown"),
        (["unknown", "worse"], "worse"),
        (["same", "better"], "better"),
        (["same"], "same"),
        ([], "unknown"),
    ],
)
def test_the_worst_word_is_said_of_the_whole(words: list[Word], expected: Word) -> None:
    """Worse before unknown before better before same; nothing measured is no "same"."""
    assert overall(words) == expected


def test_rounds_for_an_effect_are_the_known_ones() -> None:
    """For 80 % at one look of both sides: what tables of the noncentral t have, and one fewer is not enough."""
    for size, spread in ((math.log(1.05), 0.03), (math.log(1.02), 0.04), (math.log(1.02), 0.25)):
        needed = rounds_needed(size, spread, 0.05)
        assert needed is not None
        assert power(needed, size, spread, 0.05) >= 0.8 > power(needed - 1, size, spread, 0.05)
        assert power(needed, size, spread, 0.05) == pytest.approx(
            stats.nct.sf(stats.t.ppf(0.975, needed - 1), needed - 1, size / spread * math.sqrt(needed)), rel=1e-6
        )
    assert rounds_needed(math.log(1.02), 0.0001, 0.05) == 5
    assert rounds_needed(math.log(1.02), 2.0, 0.05) is None


@pytest.mark.parametrize("rounds", [5, 8, 20])
def test_without_a_zone_the_chance_of_worse_is_the_power(rounds: int) -> None:
    """Two ways to the same number: an integral over the spread that is found, and the noncentral t."""
    for size in (0.01, 0.03, 0.06):
        assert chance_of_worse(rounds, 0.03, 0.0125, 0.0)(size) == pytest.approx(
            power(rounds, size, 0.03, 0.0125), abs=0.005
        )


@pytest.mark.long
def test_what_is_said_to_be_seen_is_called_worse_in_80_of_100() -> None:
    """Of 4000 looks at the detectable effect; it is above the zone, however small the spread."""
    draw = random.Random(3)
    zone = math.log(1.02)
    for rounds, spread in ((5, 0.01), (8, 0.03)):
        size = detectable_effect(rounds, spread, 0.05, zone)
        assert size > zone
        critical = stats.t.ppf(0.975, rounds - 1)
        said = 0
        for _look in range(4000):
            found = [draw.gauss(size, spread) for _round in range(rounds)]
            mean = statistics.fmean(found)
            said += mean >= max(zone, critical * statistics.stdev(found) / math.sqrt(rounds))
        assert said / 4000 == pytest.approx(0.8, abs=0.02)
    assert detectable_effect(5, 0.0, 0.05, zone) == zone


def test_a_spread_is_below_its_bound_in_80_of_100() -> None:
    """Of 4000 estimates from five values."""
    draw = random.Random(4)
    stdevs = [statistics.stdev(draw.gauss(0, 1) for _value in range(5)) for _estimate in range(4000)]
    assert statistics.fmean(upper_spread(stdev, 5) >= 1 for stdev in stdevs) == pytest.approx(0.8, abs=0.02)


def test_the_resolution_is_the_smallest_step() -> None:
    """Equal values have none; on the scale of ratios it is a share of the mean."""
    assert resolution([5.0, 5.0], "ratio") == 0
    assert resolution([1.0, 1.25, 3.0, 1.25], "difference") == 0.25
    assert resolution([8.0, 12.0], "ratio") == pytest.approx(0.4)
