"""Histories with and without a new level: a table for the docs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from simulation.kinds import Floats
from simulation.tables import percent, table
from windtunnel.analysis.series.change_points import change_points

_STEP, _BEFORE, _NEAR = 1.05, 40, 2
_AFTER = (3, 5, 8, 12)


def _normal(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return np.exp(0.02 * draw.standard_normal(shape))


def _spikes(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return np.exp(0.02 * draw.standard_normal(shape) + 0.15 * (draw.random(shape) < 0.05))


def _two_levels(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return np.exp(0.005 * draw.standard_normal(shape) + 0.08 * (draw.random(shape) < 0.3))


def _dependent(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    values = draw.standard_normal(shape)
    for place in range(1, shape[1]):
        values[:, place] = 0.5 * values[:, place - 1] + np.sqrt(0.75) * values[:, place]
    return np.exp(0.02 * values)


HISTORIES: Mapping[str, Callable[[np.random.Generator, tuple[int, int]], Floats]] = {
    "normal, 2 %": _normal,
    "with spikes of 15 %, 1 in 20": _spikes,
    "on two levels, 8 % apart": _two_levels,
    "each run half like the last one": _dependent,
}


def of_histories(histories: int) -> list[str]:
    """Return how often a change is found where there is none, and where there is one of 5 %, as Markdown."""
    rows = []
    for number, (kind, drawn) in enumerate(HISTORIES.items()):
        draw = np.random.default_rng([8, number])
        steady = [drawn(draw, (histories, length)) for length in (20, 60)]
        shares = [float(np.mean([bool(change_points(row)) for row in values.tolist()])) for values in steady]
        stepped = [drawn(draw, (histories, _BEFORE + after)) for after in _AFTER]
        for values in stepped:
            values[:, _BEFORE:] *= _STEP
        shares += [float(np.mean([_is_found(row) for row in values.tolist()])) for values in stepped]
        rows.append([kind, *map(percent, shares)])
    head = ["runs' values", "false, of 20 runs", "false, of 60", *(f"found after {after}" for after in _AFTER)]
    return table(head, rows)


def _is_found(values: list[float]) -> bool:
    return any(abs(point.place - _BEFORE) <= _NEAR for point in change_points(values))
