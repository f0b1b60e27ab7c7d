"""Why the word is "unknown"."""

from __future__ import annotations

from dataclasses import dataclass

from windtunnel.analysis.comparison.effect import Effect
from windtunnel.analysis.comparison.metric import ComparedMetric


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


def not_judged(metric: ComparedMetric, effect: Effect | None, zone: float | None) -> Reason | None:
    """Return why a metric cannot have a word, however often it is measured; None if it can."""
    if metric.better is None:
        message = f'the benchmark does not say whether "higher" or "lower" values of {metric.name} are better'
        return Reason("no_direction", message, is_lasting=True)
    if effect and zone is None and (effect.size or effect.error):
        message = f"{metric.name} has values that are not above 0, and no threshold in its unit"
        return Reason("no_threshold", message, is_lasting=True)
    return None
