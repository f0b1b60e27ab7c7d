"""Duels: their plan, their rounds, and what a look says of them."""

from __future__ import annotations

import json
import math
import random
import statistics
from collections.abc import Sequence

import pytest

from windtunnel.analysis.comparison.metric import ComparedMetric, Threshold
from windtunnel.analysis.comparison.power import chance_of_worse
from windtunnel.analysis.duel.design import Design, balanced_order
from windtunnel.analysis.duel.forecast import best_iterations, forecast
from windtunnel.analysis.duel.judgement import Judgement, is_look_due, judge
from windtunnel.analysis.duel.rounds import Round, run_value
from windtunnel.errors import UsageError

TIME = ComparedMetric("time", "lower", gates=True)
RATE = ComparedMetric("rate", "higher", gates=True)
MEMORY = ComparedMetric("memory", "lower")
EIGHT = Design(8, seed=1, is_fixed=True)


def rounds_of(factors: Sequence[float], metric: str = "time") -> list[Round]:
    """Return rounds in which the candidate takes so many times as long as the baseline."""
    return [Round(number, {metric: 10.0}, {metric: 10.0 * factor}) for number, factor in enumerate(factors, 1)]


def lost(numbers: Sequence[int]) -> list[Round]:
    """Return rounds in which a side could not be measured."""
    return [Round(number, lost="image_pull") for number in numbers]


@pytest.mark.parametrize(
    ("rounds", "looks"),
    [(5, (5,)), (6, (5, 6)), (10, (5, 8, 10)), (20, (5, 8, 12, 20)), (50, (5, 8, 12, 20, 30, 45, 50))],
)
def test_looks_are_planned_and_cut_at_the_end(rounds: int, looks: tuple[int, ...]) -> None:
    """Each has its share of 5 %; a fixed duel has one, with all of it."""
    design = Design(rounds, seed=1)
    assert design.looks == looks
    assert design.level == pytest.approx(0.05 / len(looks))
    assert Design(rounds, seed=1, is_fixed=True).looks == (rounds,)


def test_fewer_rounds_than_a_verdict_takes_are_refused() -> None:
    """The message says how many it takes."""
    with pytest.raises(UsageError, match="takes 5 rounds or more, not 4"):
        Design(4, seed=1)


@pytest.mark.parametrize("rounds", [8, 9])
def test_each_side_is_first_as_often_as_the_other(rounds: int) -> None:
    """Or one round more; the order is the seed's, and differs between seeds."""
    for seed in range(50):
        firsts = balanced_order(rounds, seed)
        assert len(firsts) == rounds
        assert abs(firsts.count("baseline") - firsts.count("candidate")) == rounds % 2
        assert firsts == balanced_order(rounds, seed)
    assert len({balanced_order(rounds, seed) for seed in range(50)}) > 20


def test_each_round_is_begun_by_each_side_as_likely_as_by_the_other() -> None:
    """Over many seeds, in the first round and in the last, and the extra round of an odd number too."""
    orders = [balanced_order(5, seed) for seed in range(2000)]
    for place in range(5):
        share = statistics.fmean(firsts[place] == "baseline" for firsts in orders)
        assert share == pytest.approx(0.5, abs=0.04)


def test_a_duel_ends_at_the_first_look_with_a_word() -> None:
    """A clear difference after five rounds; before them nothing is looked at."""
    design = Design(20, seed=1)
    rounds = rounds_of([1.05, 1.06, 1.04, 1.05, 1.07])
    assert [is_look_due(design, [TIME], rounds[:count]) for count in range(1, 6)] == [False] * 4 + [True]
    found = judge(design, [TIME], rounds)
    assert (found.word, found.is_final, found.rounds, found.level) == ("worse", True, 5, 0.0125)


def test_what_is_not_known_says_how_many_rounds_it_takes() -> None:
    """The duel goes on, and at its end it is unknown."""
    factors = [1.1, 0.95, 1.08, 0.97, 1.02, 0.93, 1.05, 1.0]
    design = Design(8, seed=1)
    first, last = judge(design, [TIME], rounds_of(factors[:5])), judge(design, [TIME], rounds_of(factors))
    assert (first.word, first.is_final, last.word, last.is_final) == ("unknown", False, "unknown", True)
    reason = last.metrics[0].reason
    assert reason is not None
    assert reason.code == "needs_rounds"
    assert reason.rounds_needed is not None
    assert reason.rounds_needed > 50
    assert reason.message == f"needs about {reason.rounds_needed} rounds"


def test_at_the_threshold_no_number_of_rounds_is_promised() -> None:
    """Where so many rounds should do and do not, more are no answer."""
    found = judge(EIGHT, [TIME], rounds_of([1.018, 1.022, 1.016, 1.02, 1.019, 1.02, 1.018, 1.021]))
    assert found.word == "unknown"
    assert found.metrics[0].reason is not None
    assert found.metrics[0].reason.code == "at_threshold"


def test_one_metric_of_three_needs_a_smaller_p() -> None:
    """The same numbers are worse alone, and unknown beside two that are equal."""
    factors = [1.03, 1.10, 1.01, 1.08, 1.02, 1.07, 1.0, 1.01]
    alone = judge(EIGHT, [TIME], rounds_of(factors))
    others = [ComparedMetric(name, "lower", gates=True) for name in ("a", "b")]
    beside = [
        Round(each.number, {**each.baseline, "a": 1.0, "b": 1.0}, {**each.candidate, "a": 1.0, "b": 1.0})
        for each in rounds_of(factors)
    ]
    family = judge(EIGHT, [TIME, *others], beside)
    assert alone.metrics[0].word == "worse"
    assert [each.word for each in family.metrics] == ["unknown", "same", "same"]
    assert family.word == "unknown"
    assert family.metrics[0].adjusted_p == pytest.approx(3 * (alone.metrics[0].adjusted_p or 0))


def test_a_metric_that_does_not_gate_has_an_effect_and_no_word() -> None:
    """However large its effect, the verdict does not depend on it, nor on rounds that lack it."""
    rounds = [
        Round(number, {"time": 10.0, "memory": 5.0} if number > 1 else {"time": 10.0}, {"time": 10.0, "memory": 9.0})
        for number in range(1, 9)
    ]
    found = judge(EIGHT, [TIME, MEMORY], rounds)
    assert found.word == "same"
    assert found.metrics[1].word is None
    assert found.metrics[1].effect is not None
    assert found.metrics[1].effect.change(found.metrics[1].effect.size) == pytest.approx(0.8)
    assert len(found.metrics[1].worse_by_round) == 7


def test_rounds_are_lost_by_cause_and_never_by_value() -> None:
    """A round whose candidate took ten times as long counts; one that lacks a gating metric does not."""
    odd = rounds_of([1.0] * 7 + [10.0])
    assert judge(EIGHT, [TIME], odd).rounds == 8
    found = judge(Design(10, seed=1, is_fixed=True), [TIME], [*rounds_of([1.0] * 9), Round(10, {"time": 10.0})])
    assert (found.rounds, found.word) == (9, "same")
    assert [(each.number, each.cause) for each in found.lost] == [(10, "no value of time")]


def test_more_than_one_lost_round_in_five_leaves_no_verdict() -> None:
    """Two of ten may be lost; with three there is no word, whatever the others say."""
    design = Design(10, seed=1, is_fixed=True)
    two = judge(design, [TIME], [*rounds_of([1.2] * 8), *lost([9, 10])])
    three = judge(design, [TIME], [*rounds_of([1.2] * 7), *lost([8, 9, 10])])
    assert (two.word, two.reason) == ("worse", None)
    assert three.word == "unknown"
    assert three.reason is not None
    assert three.reason.code == "rounds_lost"
    assert three.reason.message == "3 of 10 rounds were lost, and more than 20 % are too many"


def test_a_look_waits_for_rounds_that_count() -> None:
    """After five rounds of which one is lost there is none; it comes with the next round."""
    design = Design(20, seed=1)
    rounds = [*rounds_of([1.2] * 4), *lost([5])]
    assert not is_look_due(design, [TIME], rounds)
    rounds.append(Round(6, {"time": 10.0}, {"time": 12.0}))
    assert is_look_due(design, [TIME], rounds)
    assert not is_look_due(design, [TIME], [*rounds, *lost([7])]), "it had its look"
    assert judge(design, [TIME], rounds).word == "worse"


def test_a_duel_that_lost_too_many_ends_early() -> None:
    """No verdict can come any more, so nobody waits for it."""
    design = Design(10, seed=1)
    assert not is_look_due(design, [TIME], lost([1, 2]))
    assert is_look_due(design, [TIME], lost([1, 2, 3]))
    found = judge(design, [TIME], lost([1, 2, 3]))
    assert (found.word, found.is_final, found.metrics[0].effect) == ("unknown", True, None)


def test_fewer_than_five_rounds_have_no_word() -> None:
    """At the end of a budget, however clear it looks."""
    found = judge(Design(20, seed=1), [TIME], rounds_of([2.0] * 4), is_stopped=True)
    assert (found.word, found.is_final) == ("unknown", True)
    assert found.reason is not None
    assert found.reason.code == "too_few_rounds"
    assert found.metrics[0].effect is not None


def test_a_budget_s_end_is_a_look() -> None:
    """What five rounds or more carry is said there."""
    assert judge(Design(20, seed=1), [TIME], rounds_of([1.2] * 6), is_stopped=True).word == "worse"


@pytest.mark.parametrize(
    ("metric", "code"),
    [
        (ComparedMetric("time", None, gates=True), "no_direction"),
        (ComparedMetric("time", "lower"), "no_gates"),
    ],
)
def test_what_cannot_be_judged_says_so(metric: ComparedMetric, code: str) -> None:
    """It is unknown, and not the same."""
    found = judge(EIGHT, [metric], rounds_of([1.5] * 8))
    reason = found.reason or found.metrics[0].reason
    assert found.word == "unknown"
    assert reason is not None
    assert reason.code == code


def test_a_metric_that_can_have_no_word_holds_nobody_up() -> None:
    """Errors without a threshold are unknown, and so is the whole; but the duel ends when the others have theirs."""
    errors = ComparedMetric("errors", "lower", gates=True)
    rounds = [
        Round(number, {"time": 10.0, "errors": 0.0}, {"time": 10.0, "errors": float(number)}) for number in range(1, 6)
    ]
    found = judge(Design(20, seed=1), [TIME, errors], rounds)
    assert (found.word, found.is_final) == ("unknown", True)
    assert [each.word for each in found.metrics] == ["same", "unknown"]
    assert found.metrics[1].reason is not None
    assert found.metrics[1].reason.code == "no_threshold"
    bounded = ComparedMetric("errors", "lower", gates=True, threshold=Threshold(absolute=0.5))
    assert judge(EIGHT, [TIME, bounded], rounds, is_stopped=True).word == "worse"


def test_a_judgement_is_json() -> None:
    """With what a report shows: the change, its interval, each round, the zone, what was lost and why."""
    found: Judgement = judge(EIGHT, [RATE], [*rounds_of([0.9, 0.92] * 3 + [0.91], "rate"), *lost([8])])
    data = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert data["word"] == "worse"
    assert data["lost"] == [{"number": 8, "cause": "image_pull"}]
    metric = data["metrics"][0]
    assert metric["effect"]["change"] == pytest.approx(-0.0907, abs=0.001)
    assert metric["effect"]["change_interval"][1] < -0.08
    assert len(metric["worse_by_round"]) == 7
    assert metric["zone"] == pytest.approx(math.log(1.02))
    assert json.loads(json.dumps(EIGHT.to_json()))["firsts"] == list(EIGHT.firsts)


def test_a_run_comes_to_the_median_of_its_iterations_unless_told_otherwise() -> None:
    """An outlier moves the mean only."""
    assert run_value([10.0, 1.0, 1.0]) == 1.0
    assert run_value([10.0, 1.0, 1.0], "mean") == 4.0


def test_a_forecast_is_kept_more_often_than_it_says() -> None:
    """From ten stored runs, what is said to be seen with 80 % is seen with more on average, at each look."""
    draw = random.Random(5)
    design = Design(20, seed=1)
    chances = [chance_of_worse(look, 0.02 * math.sqrt(2), design.level, math.log(1.02)) for look in design.looks]
    kept: list[float] = []
    for _forecast in range(200):
        found = forecast(design, TIME, [math.exp(draw.gauss(0, 0.02)) for _run in range(10)])
        assert found is not None
        kept += [chance(math.log1p(change)) for chance, change in zip(chances, found.detectable, strict=True)]
    assert 0.82 < statistics.fmean(kept) < 0.95


def test_a_forecast_needs_runs_and_a_threshold() -> None:
    """One stored run has no spread; zeros need a threshold in their unit; a rate falls by what a time rises, almost."""
    assert forecast(EIGHT, TIME, [1.0]) is None
    assert forecast(EIGHT, TIME, [0.0, 1.0, 2.0]) is None
    errors = ComparedMetric("errors", "lower", threshold=Threshold(absolute=0.5))
    in_unit = forecast(EIGHT, errors, [0.0, 1.0, 2.0])
    assert in_unit is not None
    assert in_unit.scale == "difference"
    time, rate = forecast(EIGHT, TIME, [1.0, 1.1, 1.2]), forecast(EIGHT, RATE, [1.0, 1.1, 1.2])
    assert time is not None
    assert rate is not None
    assert (1 + time.detectable[0]) * (1 - rate.detectable[0]) == pytest.approx(1)


def test_more_gating_metrics_see_less() -> None:
    """Holm asks more of each."""
    one, three = (forecast(EIGHT, TIME, [1.0, 1.1, 1.2], gates) for gates in (1, 3))
    assert one is not None
    assert three is not None
    assert three.detectable[0] > one.detectable[0]


def test_the_best_number_of_iterations_weighs_cost_and_spread() -> None:
    """Iterations spread half as much as runs: for 12 times their cost it is the root of 12 / 4, rounded up."""
    draw = random.Random(6)
    runs = []
    for _run in range(2000):
        level = draw.gauss(100, 2)
        runs.append([draw.gauss(level, 1) for _iteration in range(10)])
    assert best_iterations(runs, 12.0, 1.0) == 2
    assert best_iterations(runs, 60.0, 1.0) == 4


def test_where_runs_do_not_differ_no_number_of_iterations_is_best() -> None:
    """The more the better; and four runs do not tell."""
    assert best_iterations([[1.0, 2.0, 3.0]] * 5, 10, 1) is None
    assert best_iterations([[1.0, 1.1], [2.0, 2.1], [3.0, 3.1], [4.0, 4.1]], 10, 1) is None
