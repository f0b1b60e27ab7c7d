"""What a benchmark's numbers may look like: eight distributions of a run's iterations, and a machine that drifts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ITERATIONS = 5
DRIFT_STDEV, DRIFT_RUNS = 0.03, 5


def _gauss(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return 1 + 0.03 * _iterations(draw, shape)


def _lognormal(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return np.exp(0.15 * _iterations(draw, shape))


def _outliers(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    values = 1 + 0.02 * _iterations(draw, shape)
    values[draw.random(values.shape) < 0.05] *= 3
    return values


def _two_levels_of_iterations(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    values = 1 + 0.01 * _iterations(draw, shape)
    values[draw.random(values.shape) < 0.3] *= 1.1
    return values


def _two_levels_of_runs(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return (1 + 0.01 * _iterations(draw, shape)) * np.where(draw.random((*shape, 1)) < 0.3, 1.08, 1.0)


def _autocorrelated(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    values = _iterations(draw, shape)
    for place in range(1, ITERATIONS):
        values[..., place] = 0.8 * values[..., place - 1] + 0.6 * values[..., place]
    return 1 + 0.03 * values


def _runs_differ(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return (1 + 0.03 * draw.standard_normal((*shape, 1))) * (1 + 0.01 * _iterations(draw, shape))


def _runs_lognormal(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return np.exp(0.08 * draw.standard_normal((*shape, 1))) * (1 + 0.02 * _iterations(draw, shape))


def _iterations(draw: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return draw.standard_normal((*shape, ITERATIONS))


KINDS: Mapping[str, Callable[[np.random.Generator, tuple[int, int]], Floats]] = {
    "gauss": _gauss,
    "outliers": _outliers,
    "two levels of iterations": _two_levels_of_iterations,
    "two levels of runs": _two_levels_of_runs,
    "autocorrelated": _autocorrelated,
    "runs differ": _runs_differ,
    "lognormal": _lognormal,
    "runs lognormal": _runs_lognormal,
}
"""By name: a function from a shape, duels and rounds, to that many runs' iterations, about 1."""
MODERATE = tuple(KINDS)[:6]
"""Those whose run values spread by some percent; the lognormal ones spread by 8 %."""


def drift(draw: np.random.Generator, duels: int, runs: int) -> Floats:
    """Return a machine's own share of the logarithm of each run, one after the other.

    Source: Uhlenbeck and Ornstein (1930), "On the theory of the Brownian motion": it wanders by 3 %, and forgets where
    it was in five runs.
    """
    kept = np.exp(-1 / DRIFT_RUNS)
    steps = DRIFT_STDEV * draw.standard_normal((duels, runs))
    steps[:, 1:] *= np.sqrt(1 - kept**2)
    for run in range(1, runs):
        steps[:, run] += kept * steps[:, run - 1]
    return steps
