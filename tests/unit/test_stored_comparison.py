"""Stored runs that were measured at different times."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import pytest

from windtunnel.analysis.comparison.metric import ComparedMetric
from windtunnel.analysis.comparison.stored import StoredRun, compare_stored

TIME = ComparedMetric("time", "lower", gates=True)
BEFORE = [10.0, 10.1, 9.9, 10.05, 9.95, 10.0, 10.1, 9.9]


def stored(values: Sequence[float], sessions: int = 3) -> list[StoredRun]:
    """Return runs of so many sessions."""
    return [StoredRun(f"session {number % sessions}", {"time": value}) for number, value in enumerate(values)]


@pytest.mark.parametrize(("factor", "expected"), [(1.1, "worse"), (0.9, "better"), (1.0, "same"), (1.018, "unknown")])
def test_five_runs_from_three_sessions_carry_a_word(factor: float, expected: str) -> None:
    """By run values; at the threshold itself nothing is known."""
    found = compare_stored([TIME], stored(BEFORE), stored([value * factor for value in BEFORE[:5]]))
    assert found.metrics[0].method == "unpaired"
    assert found.word == found.metrics[0].word == expected


@pytest.mark.parametrize(
    ("runs", "sessions", "told"),
    [(4, 3, "the candidate has 4 from 3"), (8, 2, "the candidate has 8 from 2"), (2, 1, "the candidate has 2 from 1")],
)
def test_fewer_carry_an_effect_alone(runs: int, sessions: int, told: str) -> None:
    """The interval is there, the word is not, and the reason has what is lacking."""
    found = compare_stored([TIME], stored(BEFORE), stored([value * 1.2 for value in BEFORE[:runs]], sessions)).metrics[
        0
    ]
    assert found.effect is not None
    assert found.word == "unknown"
    assert found.reason is not None
    assert found.reason.code == "too_few_runs"
    assert told in found.reason.message
    assert "baseline" not in found.reason.message


@pytest.mark.parametrize(("factor", "expected"), [(1.1, "worse"), (0.9, "better"), (1.01, "unknown")])
def test_one_run_is_compared_with_eight(factor: float, expected: str) -> None:
    """By where the next one would be, which no single run is known well enough to be the same as here."""
    found = compare_stored([TIME], stored(BEFORE), stored([10.0 * factor]))
    assert found.metrics[0].method == "prediction"
    assert found.word == expected


def test_one_run_is_not_compared_with_seven() -> None:
    """Nor with eight of one session in words; nor with another single one."""
    seven = compare_stored([TIME], stored(BEFORE[:7]), stored([12.0])).metrics[0]
    assert (seven.method, seven.effect, seven.word) == (None, None, "unknown")
    alike = compare_stored([TIME], stored(BEFORE, 1), stored([12.0])).metrics[0]
    assert alike.effect is not None
    assert alike.word == "unknown"
    assert compare_stored([TIME], stored([10.0]), stored([12.0])).word == "unknown"
    assert compare_stored([TIME], [], stored(BEFORE)).word == "unknown"


def test_holm_is_over_all_metrics_that_gate() -> None:
    """A difference that is just real alone is unknown beside nineteen that are none."""
    others = [ComparedMetric(f"metric {number}", "lower", gates=True) for number in range(19)]
    extra = {metric.name: 1.0 for metric in others}
    before, after = (
        [StoredRun(run.session, {**run.values, **extra}) for run in stored(values)]
        for values in (BEFORE, [10.4, 10.3, 10.6, 10.1, 10.4])
    )
    assert compare_stored([TIME], before, after).word == "worse"
    assert compare_stored([TIME, *others], before, after).metrics[0].word == "unknown"


def test_what_does_not_gate_has_no_word() -> None:
    """And a comparison without any gate is unknown."""
    found = compare_stored([ComparedMetric("time", "lower")], stored(BEFORE), stored([12.0] * 8))
    assert (found.word, found.metrics[0].word) == ("unknown", None)


def test_a_comparison_is_json() -> None:
    """With each effect's change and interval."""
    data = json.loads(json.dumps(compare_stored([TIME], stored(BEFORE), stored([11.0] * 6)).to_json(), allow_nan=False))
    metric = data["metrics"][0]
    assert metric["effect"]["change"] == pytest.approx(0.1, abs=0.001)
    assert metric["effect"]["change_interval"][0] > 0.09
    assert metric["baseline"] == {"runs": 8, "sessions": 3}


@pytest.mark.parametrize("comparisons", [400, pytest.param(10_000, marks=pytest.mark.full)])
@pytest.mark.parametrize("runs", [(8, 1), (8, 8), (20, 5)])
@pytest.mark.parametrize("is_two_levels", [False, True], ids=["gauss", "two levels"])
def test_equals_are_seldom_called_different(runs: tuple[int, int], is_two_levels: bool, comparisons: int) -> None:  # noqa: FBT001 - a parameter
    """In 6 of 100 comparisons of stored runs at most, without drift between them and with hardly any zone."""
    draw = random.Random(1)

    def value() -> float:
        """Return one run's value."""
        return (
            100
            * (1.08 if is_two_levels and draw.random() < 0.3 else 1)
            * (1 + draw.gauss(0, 0.005 if is_two_levels else 0.015))
        )

    wrong = 0
    for _comparison in range(comparisons):
        before, after = ([value() for _run in range(number)] for number in runs)
        effect = compare_stored([TIME], stored(before), stored(after)).metrics[0].effect
        assert effect is not None
        wrong += effect.p < 0.05
    assert wrong <= (0.06 if comparisons > 1000 else 0.075) * comparisons
