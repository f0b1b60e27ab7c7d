"""One comparison."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """One comparison; both functions return a figure in `unit`, and ours may add `limit` at most.

    With a `share`, the limit is that share of the figure by hand instead; `rounds` is how often
    it is measured at most, where each takes long.
    """

    name: str
    unit: str
    limit: float
    ours: Callable[[], float]
    by_hand: Callable[[], float]
    share: float | None = None
    rounds: int | None = None
