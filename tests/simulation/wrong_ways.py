"""What must not be done, and how wrong it would be: tables for the docs."""

from __future__ import annotations

from collections.abc import Callable

from simulation.duels import BETTER, WORSE, Order, Runs, judged, simulated
from simulation.tables import FIXED, NO_ZONE, SEQUENTIAL, percent, table
from windtunnel.analysis.comparison.effect import ALPHA


def of_wrong_ways(duels: int) -> list[str]:
    """Return how often equals are called different by ways that are wrong, beside the right ones, as Markdown."""
    fixed, planned = FIXED.looks, SEQUENTIAL.looks

    def ordered(rounds: int, order: Order, second_run: float = 0.0) -> float:
        is_drifting = not second_run
        runs = simulated("gauss", [3], duels, rounds, is_drifting=is_drifting, order=order, second_run=second_run)
        return judged(runs, (rounds,), zone=NO_ZONE).any_says(WORSE, BETTER)

    def looked(looks: tuple[int, ...], level: float) -> float:
        runs = simulated("gauss", [4], duels, looks[-1])
        return judged(runs, looks, zone=NO_ZONE, level=level).any_says(WORSE, BETTER)

    def pooled(kind: str, change: Callable[[Runs], Runs]) -> float:
        runs = change(simulated(kind, [5], duels, fixed[-1]))
        return judged(runs, (runs.baseline.shape[1],), zone=NO_ZONE).any_says(WORSE, BETTER)

    rows = [
        ("on a machine that drifts, 5 runs of one side and then 5 of the other", ordered(5, "blocks")),
        ("20 and 20", ordered(20, "blocks")),
        ("*20 rounds instead*", ordered(20, "balanced")),
        ("iterations that count as runs, where runs differ more", pooled("runs differ", Runs.pooled)),
        ("where iterations depend on each other", pooled("autocorrelated", Runs.pooled)),
        ("*a value a run instead*", pooled("runs differ", lambda runs: runs)),
        ("a look after each round from 5 to 20, each at 5 %", looked(tuple(range(5, 21)), ALPHA)),
        ("4 planned looks, each at 5 %", looked(planned, ALPHA)),
        ("*4 planned looks, 5 % for all*", looked(planned, SEQUENTIAL.level)),
        (
            "20 rounds that the baseline always begins, where a second run takes 2 % longer",
            ordered(20, "baseline first", 0.02),
        ),
        ("*in balanced order instead*", ordered(20, "balanced", 0.02)),
    ]
    return table(["way", "equals called different"], [[way, percent(share)] for way, share in rows])


def of_reductions(duels: int) -> list[str]:
    """Return how often 5 % more is called worse after 8 rounds if a run is its median or its mean, as Markdown."""
    rows = []
    for kind in ("outliers", "two levels of iterations", "gauss"):
        runs = simulated(kind, [6], duels, FIXED.rounds).shifted(0.05)
        before, after = (values.mean(3) for values in runs.iterations)
        means = Runs(before, after, runs.iterations)
        rows.append([kind, *(percent(judged(each, FIXED.looks).any_says(WORSE)) for each in (runs, means))])
    return table(["kind of spread", "median", "mean"], rows)
