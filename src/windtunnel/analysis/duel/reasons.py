"""Why a duel's word is "unknown"."""

from __future__ import annotations

import math

from windtunnel.analysis.comparison.effect import Effect
from windtunnel.analysis.comparison.power import FEWEST_ROUNDS, MOST_ROUNDS, rounds_needed
from windtunnel.analysis.comparison.reasons import Reason


def no_gates() -> Reason:
    """Return that there is nothing to judge."""
    return Reason("no_gates", "no metric is one that the verdict depends on", is_lasting=True)


def too_many_lost(lost: int, rounds: int) -> Reason:
    """Return that more than 20 % of the rounds were lost."""
    return Reason("rounds_lost", f"{lost} of {rounds} rounds were lost, and more than 20 % are too many")


def too_few(rounds: int) -> Reason:
    """Return that there are not enough rounds for any verdict."""
    return Reason("too_few_rounds", f"{rounds} rounds count, and a verdict takes {FEWEST_ROUNDS}", FEWEST_ROUNDS)


def no_word(effect: Effect, zone: float | None, rounds: int, level: float) -> Reason:
    """Return that a metric's effect is not known well enough, and how many rounds that takes."""
    needed = rounds_needed(zone, effect.error * math.sqrt(rounds), level) if zone else None
    if needed is None:
        return Reason("needs_rounds", f"needs more than {MOST_ROUNDS} rounds")
    if needed <= rounds:
        return Reason("at_threshold", "the difference is near the threshold, and may be on either side of it")
    return Reason("needs_rounds", f"needs about {needed} rounds", needed)
