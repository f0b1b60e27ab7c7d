"""What a duel will be able to see, from runs that are stored, before its first round."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from windtunnel.analysis.comparison.effect import ROUNDING_STDEV
from windtunnel.analysis.comparison.metric import ComparedMetric, on_scale, resolution
from windtunnel.analysis.comparison.power import detectable_effect, upper_spread
from windtunnel.analysis.duel.design import Design

FEWEST_RUNS_FOR_ITERATIONS = 5
_FEWEST_RUNS = 2
_FEWEST_ITERATIONS = 2


@dataclass(frozen=True)
class Forecast:
    """What a duel can be expected to see of one metric.

    Attributes:
        metric: The metric's name.
        runs: From how many stored runs that comes.
        spread: What the standard deviation of a round's difference is below, with 80 % confidence: a logarithm's, which
            reads like a share, or one in the metric's unit.
        scale: Which of the two it is, ``ratio`` or ``difference``.
        detectable: For each planned look, the smallest change for the worse that it finds with a chance of 80 %: a
            share of the baseline's value, or in the metric's unit.
    """

    metric: str
    runs: int
    spread: float
    scale: str
    detectable: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return asdict(self)


def forecast(design: Design, metric: ComparedMetric, stored: Sequence[float], gates: int = 1) -> Forecast | None:
    """Return what a duel can be expected to see; None if fewer than two runs are stored, or no threshold fits.

    Args:
        design: The duel's plan.
        metric: The metric.
        stored: The run values of earlier runs of one side.
        gates: On how many metrics the verdict depends.
    """
    if len(stored) < _FEWEST_RUNS:
        return None
    scale = metric.scale_of(stored)
    zone = metric.zone(scale)
    if zone is None:
        return None
    stdev = max(statistics.stdev(on_scale(stored, scale)), resolution(stored, scale) * ROUNDING_STDEV)
    # A round has two runs.
    spread = math.sqrt(2) * upper_spread(stdev, len(stored))
    sizes = [detectable_effect(look, spread, design.level / gates, zone) for look in design.looks]
    changes = [abs(math.expm1(metric.sign * size)) if scale == "ratio" else size for size in sizes]
    return Forecast(metric.name, len(stored), spread, scale, tuple(changes))


def best_iterations(runs: Sequence[Sequence[float]], run_seconds: float, iteration_seconds: float) -> int | None:
    """Return how many iterations a run had best have, so that a given time tells most about the difference of means.

    None if it cannot be told: there are fewer than five runs with two iterations or more, or runs differ no more than
    their iterations make them, and then the more iterations the better.

    Source: Kalibera and Jones (2013), "Rigorous benchmarking in reasonable time", ISMM, 3: the root of the ratio of
    costs times the ratio of variances, rounded up.

    Args:
        runs: The values of each run's iterations.
        run_seconds: What a run takes beside its iterations.
        iteration_seconds: What an iteration takes.
    """
    usable = [run for run in runs if len(run) >= _FEWEST_ITERATIONS]
    if len(usable) < FEWEST_RUNS_FOR_ITERATIONS:
        return None
    within = statistics.fmean(statistics.variance(run) for run in usable)
    means = [statistics.fmean(run) for run in usable]
    between = statistics.variance(means) - within * statistics.fmean(1 / len(run) for run in usable)
    if between <= 0:
        return None
    return max(1, math.ceil(math.sqrt(run_seconds / iteration_seconds * within / between)))
