"""Stored runs of equals, and how often they are called different: a table for the docs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy import stats

from simulation.kinds import Floats
from simulation.tables import percent, table
from windtunnel.analysis.comparison.effect import ALPHA, unpaired_effect
from windtunnel.analysis.comparison.metric import ComparedMetric

_TIME = ComparedMetric("time", "lower")
_RUNS = ((8, 8), (5, 20), (5, 50))


def _normal(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return np.exp(0.015 * draw.standard_normal(shape))


def _two_levels(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return _on_two(draw, shape, 0.3)


def _rare_level(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return _on_two(draw, shape, 0.1)


def _on_two(draw: np.random.Generator, shape: tuple[int, int], higher: float) -> Floats:
    values: Floats = (1 + 0.005 * draw.standard_normal(shape)) * np.where(draw.random(shape) < higher, 1.08, 1.0)
    return values


def _wider_if_few(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return np.exp((0.045 if shape[1] == _RUNS[-1][0] else 0.015) * draw.standard_normal(shape))


STORED: Mapping[str, Callable[[np.random.Generator, tuple[int, int]], Floats]] = {
    "normal": _normal,
    "normal, and thrice the spread where there are 5": _wider_if_few,
    "two levels, 30 % on the higher one": _two_levels,
    "two levels, 10 % on the higher one": _rare_level,
}


def of_stored_runs(comparisons: int) -> list[str]:
    """Return how often equals are called different by Welch, by Student and by the wider of both, as Markdown."""
    rows = []
    for number, (kind, drawn) in enumerate(STORED.items()):
        for runs in _RUNS:
            draw = np.random.default_rng([7, number, *runs])
            before, after = (drawn(draw, (comparisons, size)) for size in runs)
            tests = [
                stats.ttest_ind(np.log(before), np.log(after), axis=1, equal_var=is_equal).pvalue < ALPHA
                for is_equal in (False, True)
            ]
            shares = [*(float(np.mean(each)) for each in tests), wrong_share(before, after)]
            rows.append([kind, f"{runs[0]} and {runs[1]}", *map(percent, shares)])
    return table(["runs' values", "runs of each side", "Welch", "Student", "wider of both"], rows)


def wrong_share(before: Floats, after: Floats) -> float:
    """Return the share of comparisons in which the product finds that equals differ."""
    sides = zip(before.tolist(), after.tolist(), strict=True)
    return float(np.mean([unpaired_effect(*side, _TIME).p < ALPHA for side in sides]))
