"""Words for effects: worse, better, same, or unknown."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from windtunnel.analysis.comparison.effect import Effect
from windtunnel.analysis.distributions import t_quantile

Word = Literal["worse", "better", "same", "unknown"]

_ORDER: tuple[Word, ...] = ("worse", "unknown", "better")


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values, in the order given, such that one of all that are compared with a level is too small by chance.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6, 65-70.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def word_for(effect: Effect, adjusted_p: float, zone: float | None, level: float) -> Word:
    """Return the word that may be said of an effect.

    It is ``worse`` or ``better`` if it is not chance at this level and at least as large as the zone, and ``same`` if
    two one-sided tests at this level say that it is smaller.

    Source: Schuirmann (1987), "A comparison of the two one-sided tests procedure and the power approach for assessing
    the equivalence of average bioavailability", J. Pharmacokinet. Biopharm. 15, 657-680.

    Args:
        effect: The effect.
        adjusted_p: Its p-value, by `holm` over all effects that a verdict depends on.
        zone: The smallest size that matters, on the effect's scale; None if that is not known.
        level: The probability of a wrong word that is accepted.
    """
    if zone is None:
        # Nothing but equal numbers: they are the same, whatever matters.
        return "same" if effect.size == effect.error == 0 else "unknown"
    if adjusted_p < level and abs(effect.size) >= zone:
        return "worse" if effect.size > 0 else "better"
    farthest = abs(effect.size) + t_quantile(1 - level, effect.freedom) * effect.error
    return "same" if farthest < zone else "unknown"


def overall(words: Collection[Word]) -> Word:
    """Return what all words come to: worse before unknown before better before same; unknown if there are none."""
    return next((word for word in _ORDER if word in words), "same") if words else "unknown"
