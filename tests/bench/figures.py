"""Figures: what one scenario adds, measured round by round, and told as soon as it is known."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.progress import track

from bench.scenario import Scenario

Say = Callable[[str], None]


@dataclass(frozen=True)
class Figure:
    """What one scenario took both ways, one value a round, in its unit."""

    scenario: Scenario
    ours: list[float]
    by_hand: list[float]

    @property
    def added(self) -> float:
        """The median, pair by pair, of ours less by hand."""
        return statistics.median(a - b for a, b in zip(self.ours, self.by_hand, strict=True))

    @property
    def limit(self) -> float:
        """How much may be added, in the scenario's unit."""
        share = self.scenario.share * statistics.median(self.by_hand) if self.scenario.share else 0.0
        return share or self.scenario.limit

    @property
    def is_met(self) -> bool:
        """Whether no more is added than may be."""
        return self.added <= self.limit

    def line(self) -> str:
        """Return it as one line below `HEAD`."""
        by_hand, ours = statistics.median(self.by_hand), statistics.median(self.ours)
        verdict = "ok" if self.is_met else "MISSED"
        numbers = f"{by_hand:11.3f}{ours:11.3f}{self.added:9.3f}{self.limit:9.3g}"
        return f"{self.scenario.name:<60} {self.scenario.unit:<4}{numbers}  {verdict}"


HEAD = f"{'what':<60} {'unit':<4}{'by hand':>11}{'windtunnel':>11}{'added':>9}{'limit':>9}"


def compare(scenarios: Iterable[Scenario], rounds: int, tell: Say, say: Say) -> int:
    """Measure scenarios one after the other; tell each figure once it is known; return how many miss their limits.

    Args:
        scenarios: What is measured.
        rounds: How often, unless a scenario says less.
        tell: Takes the figures, a line each.
        say: Takes what is being measured.
    """
    missed = 0
    tell(HEAD)
    for scenario in scenarios:
        say(scenario.name)
        figure = measure(scenario, min(rounds, scenario.rounds or rounds))
        missed += not figure.is_met
        tell(figure.line())
    return missed


def measure(scenario: Scenario, rounds: int) -> Figure:
    """Run a scenario both ways, in turn."""
    ours, by_hand = [], []
    scenario.ours()  # the first run fills caches that the others find filled
    for _ in track(range(rounds), scenario.name, console=Console(stderr=True), transient=True):
        by_hand.append(scenario.by_hand())
        ours.append(scenario.ours())
    return Figure(scenario, ours, by_hand)
