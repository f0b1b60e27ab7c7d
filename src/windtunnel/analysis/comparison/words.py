"""A comparison in words, metric by metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

from windtunnel.analysis.comparison.effect import Effect
from windtunnel.analysis.comparison.metric import ComparedMetric
from windtunnel.analysis.comparison.reasons import Reason
from windtunnel.analysis.comparison.verdict import Word
from windtunnel.analysis.formatting import number

Units = Mapping[str, str | None]


class Judged(Protocol):
    """What is said of one metric, by a duel's look or of stored runs."""

    @property
    def metric(self) -> ComparedMetric:
        """The metric."""
        ...

    @property
    def effect(self) -> Effect | None:
        """How much worse the candidate is, if that is known."""
        ...

    @property
    def zone(self) -> float | None:
        """The smallest size that matters, on the effect's scale, if that is known."""
        ...

    @property
    def word(self) -> Word | None:
        """The verdict, if one depends on the metric."""
        ...

    @property
    def reason(self) -> Reason | None:
        """Why it is unknown."""
        ...


def in_words(found: Judged, level: float, units: Units) -> str:
    """Return what is said of a metric, such as ``latency: worse, +5.2 % (+3.9 % to +6.5 %)``.

    Args:
        found: What is said.
        level: That of the interval, such as 0.05.
        units: The metrics' units, by name.
    """
    name = found.metric.name
    if found.effect is None:
        return f"{name}: {found.reason.message if found.reason else 'not measured often enough'}"
    unit = units.get(name)
    change = f"{change_in_words(found.effect, unit)} ({span_in_words(found.effect, level, unit)})"
    if found.word is None:
        return f"{name}: {change}"
    if found.word == "same":
        return f"{name}: same, less than {_zone(found, found.effect, unit)} apart, {change}"
    return f"{name}: {found.word}, {change}" + (f"; {found.reason.message}" if found.reason else "")


def change_in_words(effect: Effect, unit: str | None) -> str:
    """Return an effect's change, such as ``+5.2 %``."""
    return _amount(effect.change(effect.size), effect, unit)


def span_in_words(effect: Effect, level: float, unit: str | None) -> str:
    """Return the interval of an effect's change, such as ``+3.9 % to +6.5 %``."""
    low, high = effect.change_interval(level)
    return f"{_amount(low, effect, unit)} to {_amount(high, effect, unit)}"


def _amount(change: float, effect: Effect, unit: str | None) -> str:
    if effect.scale == "ratio":
        return f"{100 * change:+.1f} %"
    return f"{'+' if change >= 0 else ''}{number(change)} {unit or ''}".rstrip()


def _zone(found: Judged, effect: Effect, unit: str | None) -> str:
    if found.zone is None:
        return "anything"
    if effect.scale == "ratio":
        return f"{100 * math.expm1(found.zone):.3g} %"
    return f"{number(found.zone)} {unit or ''}".rstrip()
