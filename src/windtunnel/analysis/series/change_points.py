"""Where a benchmark's history changes its level."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from windtunnel.analysis.comparison.metric import DEFAULT_SHARE, on_scale

LEVEL = 0.005
"""The level of each of two tests: by means, which see small steps, and by ranks, which bear outliers."""
FEWEST = 3
"""How many runs there are on each side of a change, or none is seen."""
FEWEST_TO_BE_SURE = 5
_PERMUTATIONS = 999
_CHUNK = 500_000
"""How many numbers are permuted at once: it bounds the memory that a long history takes."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ChangePoint:
    """A change of level between two runs.

    Attributes:
        place: The first run on the new level, counted from 0.
        change: The median of the runs from here to the next change over that of those since the last one, less 1; in
            the metric's unit, if not all values are above 0.
        p: How often a history in random order has as large a step.
        is_sure: Whether there are five runs on each side; else it is a possible change.
    """

    place: int
    change: float
    p: float
    is_sure: bool

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return asdict(self)


def change_points(values: Sequence[float], threshold: float | None = None, seed: int = 0) -> list[ChangePoint]:
    """Return the changes of level, in the order of runs; the same values have the same ones each time.

    The largest step of a stretch, by Student's t over all places, is a change if few orders at random have as large a
    one; both sides are searched again. Runs that depend on each other make false ones: with a correlation of 0.5 from
    run to run, in 11 to 15 of 100 histories of 20 runs.

    Source: binary segmentation, Scott and Knott (1974), Biometrics 30, 507-512, with the permutation test of Matteson
    and James (2014), J. Am. Stat. Assoc. 109, 334-345.

    Args:
        values: The run values of one environment, oldest first.
        threshold: The smallest change of medians that counts: a share (2 % unless it is given), or a number in the
            metric's unit, if not all values are above 0.
        seed: What the orders at random come from.
    """
    if len(values) < 2 * FEWEST:
        return []
    is_ratio = min(values) > 0
    scaled = np.asarray(on_scale(values, "ratio" if is_ratio else "difference"))
    zone = math.log1p(DEFAULT_SHARE if threshold is None else threshold) if is_ratio else threshold or 0.0
    found = sorted(_segments(scaled, zone, np.random.default_rng(seed)))
    ends = [0, *(place for place, _p_value in found), len(scaled)]
    points = []
    for number, (_place, p_value) in enumerate(found, 1):
        before, after = ends[number - 1], ends[number + 1]
        # It was found beside others that were not known yet, which may have moved it.
        place = ends[number] = before + int(_steps(_ranks(scaled[before:after])[np.newaxis])[1][0])
        step = float(np.median(scaled[place:after]) - np.median(scaled[before:place]))
        is_sure = min(place - before, after - place) >= FEWEST_TO_BE_SURE
        points.append(ChangePoint(place, math.expm1(step) if is_ratio else step, p_value, is_sure))
    return points


def _segments(values: Floats, zone: float, draw: np.random.Generator) -> Iterator[tuple[int, float]]:
    """Yield the place of each change of a stretch, and its p-value."""
    stretches = [(0, len(values))]
    while stretches:
        begin, end = stretches.pop()
        stretch = values[begin:end]
        if len(stretch) < 2 * FEWEST:
            continue
        tests = (_largest_step(numbers, draw) for numbers in (stretch, _ranks(stretch)))
        found = next((each for each in tests if each), None)
        if not found:
            continue
        place, p_value = found
        if abs(np.median(stretch[place:]) - np.median(stretch[:place])) < zone:
            continue
        yield begin + place, p_value
        stretches += [(begin, begin + place), (begin + place, end)]


def _largest_step(values: Floats, draw: np.random.Generator) -> tuple[int, float] | None:
    """Return the place of the largest step and its p-value, if that is below the level."""
    (largest,), (place,) = _steps(values[np.newaxis])
    # The same values in another order have sums that differ in their last digits.
    largest -= 1e-9 * abs(largest)
    as_large, done = 0, 0
    while done < _PERMUTATIONS:
        rows = min(_PERMUTATIONS - done, max(1, _CHUNK // len(values)))
        shuffled = draw.permuted(np.broadcast_to(values, (rows, len(values))), axis=1)
        as_large += int((_steps(shuffled)[0] >= largest).sum())
        done += rows
        # No further order makes it a change again.
        if (1 + as_large) / (_PERMUTATIONS + 1) > LEVEL:
            return None
    return int(place), (1 + as_large) / (_PERMUTATIONS + 1)


def _steps(rows: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Return, for each row, the largest Student's t between what is before and after a place, and that place."""
    rows = rows - rows.mean(1, keepdims=True)
    number = rows.shape[1]
    before = np.arange(FEWEST, number - FEWEST + 1)
    after = number - before
    sums = np.cumsum(rows, 1)
    squares = (rows * rows).sum(1, keepdims=True)
    mean_before, mean_after = sums[:, before - 1] / before, (sums[:, -1:] - sums[:, before - 1]) / after
    within = squares - before * mean_before**2 - after * mean_after**2
    # Equal values leave nothing, or what rounding leaves, to divide by.
    least = 1e-12 * squares + np.finfo(np.float64).tiny
    variances = np.maximum(within, least) / (number - 2) * (1 / before + 1 / after)
    steps = np.abs(mean_after - mean_before) / np.sqrt(variances)
    best = steps.argmax(1)
    return steps[np.arange(len(rows)), best], before[best]


def _ranks(values: Floats) -> Floats:
    """Return the ranks of values; equal ones share the mean of theirs."""
    _distinct, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Floats = (ends - (counts - 1) / 2)[inverse]
    return ranks
