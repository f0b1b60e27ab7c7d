"""What Windtunnel adds to the same work done by hand: ``make bench``.

Both ways are measured in turn, round by round, in one run: so a machine that is slow for
a while is slow for both. Printed are medians. A limit that is missed ends with status 1.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.engines import compare_engines
from bench.scenario import Scenario
from bench.scenarios import scenarios


@dataclass(frozen=True)
class Figure:
    """The median of what one scenario adds, in its unit."""

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


def measure(scenario: Scenario, rounds: int, say: Callable[[str], None]) -> Figure:
    """Run a scenario both ways, in turn."""
    ours, by_hand = [], []
    say(scenario.name)
    scenario.ours()  # the first run fills caches that the others find filled
    for _ in track(range(rounds), scenario.name, console=Console(stderr=True), transient=True):
        by_hand.append(scenario.by_hand())
        ours.append(scenario.ours())
    return Figure(scenario, ours, by_hand)


def main() -> int:
    """Measure everything and print a table."""
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument("--rounds", type=int, default=10)
    options.add_argument("--only", default="", help="part of a scenario's name")
    arguments = options.parse_args()
    table = Table("what", "unit", "by hand", "windtunnel", "added", "limit", "")
    say = partial(print, file=sys.stderr, flush=True)
    began, missed = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="windtunnel-bench-") as folder:
        for scenario in scenarios(Path(folder)):
            if arguments.only not in scenario.name:
                continue
            figure = measure(scenario, min(arguments.rounds, scenario.rounds or arguments.rounds), say)
            is_met = figure.added <= figure.limit
            missed += not is_met
            table.add_row(
                scenario.name,
                scenario.unit,
                f"{statistics.median(figure.by_hand):.3f}",
                f"{statistics.median(figure.ours):.3f}",
                f"{figure.added:.3f}",
                f"{figure.limit:.3g}",
                "ok" if is_met else "MISSED",
            )
    Console(width=120).print(table)
    if arguments.only in "engines":
        Console(width=120).print(compare_engines(max(1, arguments.rounds // 3), say))
    print(f"medians of {arguments.rounds} interleaved rounds, {time.monotonic() - began:.0f} s in all")
    return 1 if missed else 0


sys.exit(main())
