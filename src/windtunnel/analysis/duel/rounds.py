"""Rounds as they were measured, and those that cannot count."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from windtunnel.analysis.comparison.metric import ComparedMetric

_LOST_ONE_IN = 5


@dataclass(frozen=True)
class Round:
    """One run of each side.

    Attributes:
        number: The round's number, from 1.
        baseline: The baseline's run value of each metric.
        candidate: The candidate's.
        lost: Why the round does not count, such as the cause of a run that failed; None if it does.
    """

    number: int
    baseline: Mapping[str, float] = field(default_factory=dict)
    candidate: Mapping[str, float] = field(default_factory=dict)
    lost: str | None = None

    def has(self, metric: str) -> bool:
        """Tell whether both sides have a value."""
        return metric in self.baseline and metric in self.candidate


@dataclass(frozen=True)
class LostRound:
    """A round that does not count, and why."""

    number: int
    cause: str


def run_value(values: Sequence[float], compare: Literal["median", "mean"] = "median") -> float:
    """Return the one value that a run's kept iterations come to.

    Iterations of one run depend on each other: pooled over runs they are wrong in 30 to 48 of 100 comparisons of
    equals. The median bears outliers; the mean tells two levels apart better.

    Source: Kalibera and Jones (2013), "Rigorous benchmarking in reasonable time", ISMM, on levels of repetition.
    """
    return statistics.median(values) if compare == "median" else statistics.fmean(values)


def split(rounds: Iterable[Round], metrics: Iterable[ComparedMetric]) -> tuple[list[Round], list[LostRound]]:
    """Return the rounds that count, and those that do not.

    Whether a round counts depends on causes alone, never on a value: a run that failed, or a side without a value of a
    metric that the verdict depends on.
    """
    gates = [metric.name for metric in metrics if metric.gates]
    counted, lost = [], []
    for each in rounds:
        missing = next((name for name in gates if not each.has(name)), None)
        cause = each.lost or (f"no value of {missing}" if missing else None)
        if cause:
            lost.append(LostRound(each.number, cause))
        else:
            counted.append(each)
    return counted, lost


def are_too_many(lost: int, rounds: int) -> bool:
    """Tell whether more than 20 % of the rounds were lost: those that are left may be of one kind only."""
    return lost * _LOST_ONE_IN > rounds
