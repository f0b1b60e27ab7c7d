"""Thousands of duels at once: their runs, in an order that can be chosen, and their verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from simulation.kinds import KINDS, Floats, drift
from windtunnel.analysis.comparison.effect import ALPHA
from windtunnel.analysis.duel.design import balanced_order

Order = Literal["balanced", "blocks", "baseline first"]
Words = NDArray[np.int_]

WORSE, BETTER, SAME, UNKNOWN = 1, -1, 0, 9
ZONE = float(np.log1p(0.02))


@dataclass(frozen=True)
class Runs:
    """The runs of both sides.

    Attributes:
        baseline: The baseline's run values, the medians of its iterations: duels x rounds x metrics.
        candidate: The candidate's.
        iterations: What these are medians of, the baseline's and the candidate's: duels x rounds x metrics x
            iterations.
    """

    baseline: Floats
    candidate: Floats
    iterations: tuple[Floats, Floats]

    def shifted(self, shift: float) -> Runs:
        """Return them with all of the candidate's values multiplied."""
        before, after = self.iterations
        return Runs(self.baseline, self.candidate * (1 + shift), (before, after * (1 + shift)))

    def first(self, metrics: int) -> Runs:
        """Return them with the first metrics only."""
        before, after = (values[:, :, :metrics] for values in self.iterations)
        return Runs(self.baseline[..., :metrics], self.candidate[..., :metrics], (before, after))

    def pooled(self) -> Runs:
        """Return them as if each iteration was a run, which is wrong."""
        before, after = (np.swapaxes(values, 2, 3) for values in self.iterations)
        duels, rounds, iterations, metrics = before.shape
        shape = (duels, rounds * iterations, metrics)
        return Runs(before.reshape(shape), after.reshape(shape), self.iterations)


@dataclass(frozen=True)
class Outcome:
    """How duels ended.

    Attributes:
        words: Each metric's word: duels x metrics.
        rounds: After how many rounds.
        low: The lower end of each metric's interval at the level of the look.
        high: Its upper end.
    """

    words: Words
    rounds: Words
    low: Floats
    high: Floats

    def any_says(self, *words: int) -> float:
        """Return the share of duels in which any metric has one of these words."""
        return float(np.isin(self.words, words).any(1).mean())

    def coverage(self, shift: float) -> float:
        """Return the share of intervals that hold the true shift."""
        size = np.log1p(shift)
        return float(((self.low <= size) & (size <= self.high)).mean())


def simulated(
    kind: str,
    seed: Sequence[int],
    duels: int,
    rounds: int,
    *,
    metrics: int = 1,
    is_drifting: bool = False,
    order: Order = "balanced",
    second_run: float = 0.0,
) -> Runs:
    """Return the runs of duels of equals.

    Args:
        kind: The distribution of iterations, of `KINDS`; metrics are independent of each other but for the drift.
        seed: The seed.
        duels: How many duels.
        rounds: How many rounds each has.
        metrics: How many metrics.
        is_drifting: Whether the machine drifts.
        order: Where the runs are: in rounds in the product's balanced order, as one block of each side, or in rounds
            that the baseline always begins.
        second_run: What the second run of a round takes longer, as a share.
    """
    draw = np.random.default_rng(list(seed))
    machine = drift(draw, duels, 2 * rounds) if is_drifting else np.zeros((duels, 2 * rounds))
    baseline, candidate = _places(draw, duels, rounds, order)
    shares = [
        np.take_along_axis(machine, place, 1) + np.log1p(second_run) * (place % 2) * (order != "blocks")
        for place in (baseline, candidate)
    ]
    before, after = (
        np.stack([KINDS[kind](draw, (duels, rounds)) * np.exp(share)[..., np.newaxis] for _metric in range(metrics)], 2)
        for share in shares
    )
    return Runs(_medians(before), _medians(after), (before, after))


def _medians(values: Floats) -> Floats:
    """Return the medians over the last axis, whose length is odd; NumPy's own takes several times as long."""
    middle: Floats = np.sort(values, -1)[..., values.shape[-1] // 2]
    return middle


def _places(draw: np.random.Generator, duels: int, rounds: int, order: Order) -> tuple[Words, Words]:
    """Return where in the duel each round's runs of both sides are."""
    numbers = np.arange(rounds)[np.newaxis].repeat(duels, 0)
    if order == "blocks":
        return numbers, numbers + rounds
    is_second = np.zeros_like(numbers)
    if order == "balanced":
        seeds = draw.integers(2**31, size=duels).tolist()
        firsts = [[side == "candidate" for side in balanced_order(rounds, seed)] for seed in seeds]
        is_second = np.array(firsts, dtype=np.int_)
    return 2 * numbers + is_second, 2 * numbers + 1 - is_second


def judged(runs: Runs, looks: Sequence[int], *, zone: float = ZONE, level: float | None = None) -> Outcome:
    """Return how duels end, whose metrics all gate and are better if lower.

    Args:
        runs: Their runs.
        looks: The planned looks.
        zone: The threshold, as a logarithm.
        level: The level of each look; a look's share of 5 % unless it is given.
    """
    level = level or ALPHA / len(looks)
    duels, _rounds, metrics = runs.baseline.shape
    ended = Outcome(
        np.full((duels, metrics), UNKNOWN),
        np.full(duels, looks[-1]),
        np.empty((duels, metrics)),
        np.empty((duels, metrics)),
    )
    going = np.arange(duels)
    for look in looks:
        at_look = _at_look(runs.baseline[going, :look], runs.candidate[going, :look], zone, level)
        is_over = (look == looks[-1]) | (at_look.words != UNKNOWN).all(1) | (at_look.words == WORSE).any(1)
        for whole, part in zip(vars(ended).values(), vars(at_look).values(), strict=True):
            whole[going[is_over]] = part[is_over]
        going = going[~is_over]
    return ended


def _at_look(baseline: Floats, candidate: Floats, zone: float, level: float) -> Outcome:
    rounds = baseline.shape[1]
    worse = np.log(candidate / baseline)
    size = worse.mean(1)
    spread = np.maximum(worse.std(1, ddof=1), _resolution(baseline, candidate) / np.sqrt(6))
    error = spread / np.sqrt(rounds)
    p_values = 2 * special.stdtr(rounds - 1, -np.abs(size) / error)
    is_real = _holm(p_values, level) & (np.abs(size) >= zone)
    half = special.stdtrit(rounds - 1, 1 - level / 2) * error
    is_same = np.abs(size) + special.stdtrit(rounds - 1, 1 - level) * error < zone
    words = np.where(is_real, np.where(size > 0, WORSE, BETTER), np.where(is_same, SAME, UNKNOWN))
    return Outcome(words, np.full(len(words), rounds), size - half, size + half)


def _resolution(baseline: Floats, candidate: Floats) -> Floats:
    """Return the smallest step between different values over their mean: duels x metrics."""
    values = np.sort(np.concatenate([baseline, candidate], 1), 1)
    steps = np.diff(values, axis=1)
    smallest = np.where(steps > 0, steps, np.inf).min(1)
    shares: Floats = np.where(np.isfinite(smallest), smallest, 0.0) / values.mean(1)
    return shares


def _holm(p_values: Floats, level: float) -> NDArray[np.bool_]:
    """Return which p-values are below the level by Holm: duels x metrics."""
    metrics = p_values.shape[1]
    places = p_values.argsort(1)
    is_below = np.take_along_axis(p_values, places, 1) * (metrics - np.arange(metrics)) < level
    is_real: NDArray[np.bool_] = np.empty(is_below.shape, dtype=np.bool_)
    np.put_along_axis(is_real, places, np.logical_and.accumulate(is_below, 1), 1)
    return is_real
