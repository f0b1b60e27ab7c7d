"""Why the word is "unknown"."""

from __future__ import annotations

import math
from dataclasses import dataclass

from windtunnel.analysis.comparison.effect import Effect
from windtunnel.analysis.comparison.metric import ComparedMetric
from windtunnel.analysis.comparison.power import FEWEST_ROUNDS, MOST_ROUNDS, rounds_needed


@dataclass(frozen=True)
class Reason:
    """Why there is no other word.

    Attributes:
        code: A stable word for machines.
        message: A sentence for a person.
        rounds_needed: About how many rounds it takes, if that is the reason and there is a number.
        is_lasting: Whether more rounds cannot help.
    """

    code: str
    message: str
    rounds_needed: int | None = None
    is_lasting: bool = False


def no_gates() -> Reason:
    """Return that there is nothing to judge."""
    return Reason("no_gates", "no metric is one that the verdict depends on", is_lasting=True)


def too_many_lost(lost: int, rounds: int) -> Reason:
    """Return that more than 20 % of the rounds were lost."""
    return Reason("rounds_lost", f"{lost} of {rounds} rounds were lost, and more than 20 % are too many")


def too_few(rounds: int) -> Reason:
    """Return that there are not enough rounds for any verdict."""
    return Reason("too_few_rounds", f"{rounds} rounds count, and a verdict takes {FEWEST_ROUNDS}", FEWEST_ROUNDS)


def not_judged(metric: ComparedMetric, effect: Effect | None, zone: float | None) -> Reason | None:
    """Return why a metric cannot have a word, however often it is measured; None if it can."""
    if metric.better is None:
        message = f'the benchmark does not say whether "higher" or "lower" values of {metric.name} are better'
        return Reason("no_direction", message, is_lasting=True)
    if effect and zone is None and (effect.size or effect.error):
        message = f"{metric.name} has values that are not above 0, and no threshold in its unit"
        return Reason("no_threshold", message, is_lasting=True)
    return None


def no_word(effect: Effect, zone: float | None, rounds: int, level: float) -> Reason:
    """Return that a metric's effect is not known well enough, and how many rounds that takes."""
    needed = rounds_needed(zone, effect.error * math.sqrt(rounds), level) if zone else None
    if needed is None:
        return Reason("needs_rounds", f"needs more than {MOST_ROUNDS} rounds")
    if needed <= rounds:
        return Reason("at_threshold", "the difference is near the threshold, and may be on either side of it")
    return Reason("needs_rounds", f"needs about {needed} rounds", needed)
