"""Duels by simulation: how often the verdict is right, and how often what must not be done would be wrong.

The simulation judges thousands of duels at once; it is the product's procedure, since both say the same of the same
numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from simulation.duels import BETTER, SAME, UNKNOWN, WORSE, ZONE, Runs, judged, simulated
from simulation.kinds import KINDS, MODERATE
from windtunnel.analysis.comparison.metric import ComparedMetric, Threshold
from windtunnel.analysis.comparison.verdict import Word
from windtunnel.analysis.duel.design import Design
from windtunnel.analysis.duel.judgement import Judgement, is_look_due, judge
from windtunnel.analysis.duel.rounds import Round, run_value

DESIGNS = {"fixed": Design(8, seed=1, is_fixed=True), "sequential": Design(20, seed=1)}
CODES: dict[Word, int] = {"worse": WORSE, "better": BETTER, "same": SAME, "unknown": UNKNOWN}
NO_ZONE = 1e-12
FALSE_LIMIT = 0.06
"""The share of duels of equals that may be called anything else."""

kinds = pytest.mark.parametrize("kind", KINDS)
machines = pytest.mark.parametrize("is_drifting", [False, True], ids=["steady", "drifting"])
sizes = pytest.mark.parametrize("duels", [4000, pytest.param(40_000, marks=pytest.mark.full)])


@sizes
@machines
@kinds
def test_verdicts_are_right(kind: str, is_drifting: bool, duels: int) -> None:  # noqa: FBT001 - a parameter
    """Of equals few are called anything else, a shift of 5 % is found, and the intervals hold the truth.

    Fixed and sequential, one metric and three. A difference as large as the zone is rarely called "same". Where the
    spread is moderate, 5 % more is called worse in 93 of 100 sequential duels, 88 if the machine drifts, and better in
    1 of 1000 at most.
    """
    seed = [list(KINDS).index(kind), is_drifting]
    for design in DESIGNS.values():
        runs = simulated(kind, [*seed, design.rounds], duels, design.rounds, metrics=3, is_drifting=is_drifting)
        alone = runs.first(1)
        for equals in (runs, alone):
            assert judged(equals, design.looks, zone=NO_ZONE).any_says(WORSE, BETTER) <= FALSE_LIMIT
        by_shift = {shift: judged(alone.shifted(shift), design.looks) for shift in (0.0, 0.02, 0.05)}
        assert by_shift[0.02].any_says(SAME) <= 0.06
        assert by_shift[0.05].any_says(BETTER) <= (0.001 if kind in MODERATE else 0.003)
        for shift, outcome in by_shift.items():
            assert outcome.coverage(shift) >= 0.94
        assert judged(runs.shifted(0.05), design.looks).coverage(0.05) >= 0.94
        if kind in MODERATE and not design.is_fixed:
            assert by_shift[0.05].any_says(WORSE) >= (0.88 if is_drifting else 0.93)


@kinds
@pytest.mark.parametrize("duels", [10, pytest.param(300, marks=pytest.mark.full)])
def test_the_product_says_what_the_simulation_says(kind: str, duels: int) -> None:
    """Each duel of a sample ends after as many rounds, with the same words, intervals and zone or none."""
    metrics = 3
    for is_drifting, design in ((False, DESIGNS["fixed"]), (True, DESIGNS["sequential"])):
        seed = [7, list(KINDS).index(kind), is_drifting]
        equals = simulated(kind, seed, duels, design.rounds, metrics=metrics, is_drifting=is_drifting)
        for shift, zone, number in (
            (0.0, NO_ZONE, 1),
            (0.0, ZONE, 1),
            (0.05, ZONE, 1),
            (0.02, ZONE, 3),
            (0.05, ZONE, 3),
        ):
            runs = equals.first(number).shifted(shift)
            expected = judged(runs, design.looks, zone=zone)
            for place in range(duels):
                found = dueled(design, compared(number, zone), runs, place)
                assert found.rounds == expected.rounds[place]
                assert [CODES[each.word] for each in found.metrics if each.word] == expected.words[place].tolist()
                effects = [each.effect for each in found.metrics if each.effect]
                ends = np.array([effect.interval(found.level) for effect in effects])
                assert ends[:, 0] == pytest.approx(expected.low[place])
                assert ends[:, 1] == pytest.approx(expected.high[place])


def test_rounded_numbers_are_judged_alike() -> None:
    """The spread of a metric that has few values is at least its rounding, in the product and the simulation."""
    design = DESIGNS["fixed"]
    runs = simulated("gauss", [8], 200, design.rounds)
    rounded = [np.round(values / 0.02) * 0.02 for values in (runs.baseline, runs.candidate)]
    coarse = Runs(rounded[0], rounded[1], (rounded[0][..., np.newaxis], rounded[1][..., np.newaxis]))
    expected = judged(coarse, design.looks)
    found = [dueled(design, compared(1, ZONE), coarse, place).word for place in range(200)]
    assert [CODES[word] for word in found] == expected.words[:, 0].tolist()
    assert judged(coarse, design.looks, zone=NO_ZONE).any_says(WORSE, BETTER) <= FALSE_LIMIT


def compared(number: int, zone: float) -> list[ComparedMetric]:
    """Return metrics that gate, with this zone."""
    threshold = Threshold(float(np.expm1(zone)))
    return [ComparedMetric(f"metric {place}", "lower", gates=True, threshold=threshold) for place in range(number)]


def dueled(design: Design, metrics: Sequence[ComparedMetric], runs: Runs, place: int) -> Judgement:
    """Return how the product ends one of the simulated duels, round by round from the runs' iterations."""
    rounds: list[Round] = []
    for number in range(design.rounds):
        baseline, candidate = (
            {metric.name: run_value(values[place, number, index].tolist()) for index, metric in enumerate(metrics)}
            for values in runs.iterations
        )
        rounds.append(Round(number + 1, baseline, candidate))
        if is_look_due(design, metrics, rounds) and (found := judge(design, metrics, rounds)).is_final:
            return found
    pytest.fail("the duel has no end")


@pytest.mark.parametrize("kind", ["two levels of runs", "autocorrelated", "runs differ"])
def test_iterations_that_count_as_runs_would_be_found_out(kind: str) -> None:
    """Pooled, equals are called different in more than 15 of 100 duels."""
    runs = simulated(kind, [9], 2000, 8).pooled()
    assert judged(runs, (runs.baseline.shape[1],), zone=NO_ZONE).any_says(WORSE, BETTER) > 0.15


def test_looks_at_full_level_would_be_found_out() -> None:
    """Four looks at 5 % each call equals different in more than 9 of 100 duels."""
    design = DESIGNS["sequential"]
    runs = simulated("gauss", [9], 4000, design.rounds)
    assert judged(runs, design.looks, zone=NO_ZONE, level=0.05).any_says(WORSE, BETTER) > 0.09


def test_blocks_instead_of_rounds_would_be_found_out() -> None:
    """All runs of one side and then all of the other, on a machine that drifts: wrong in more than 25 of 100 duels."""
    runs = simulated("gauss", [9], 2000, 8, is_drifting=True, order="blocks")
    assert judged(runs, (8,), zone=NO_ZONE).any_says(WORSE, BETTER) > 0.25


def test_one_side_always_first_would_be_found_out() -> None:
    """If a second run takes 2 % longer: wrong in most duels, and in few in the product's order."""
    first, balanced = (
        judged(simulated("two levels of iterations", [9], 2000, 20, order=order, second_run=0.02), (20,), zone=NO_ZONE)
        for order in ("baseline first", "balanced")
    )
    assert first.any_says(WORSE, BETTER) > 0.3
    assert balanced.any_says(WORSE, BETTER) <= FALSE_LIMIT
