"""Tables for the docs: how right duels are, and what they see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulation.duels import BETTER, SAME, UNKNOWN, WORSE, Outcome, Runs, judged, simulated
from simulation.kinds import KINDS
from windtunnel.analysis.duel.design import Design

FIXED = Design(8, seed=1, is_fixed=True)
SEQUENTIAL = Design(20, seed=1)
SPREADS = (0.005, 0.01, 0.02, 0.03, 0.05)
"""Standard deviations of one run."""
CHANGES = (0.0, 0.02, 0.05, 0.1)
NO_ZONE = 1e-12


def of_kinds(duels: int) -> list[str]:
    """Return how right duels of each kind are, as a table of Markdown."""
    head = (
        "kind of spread|8 rounds, 1 metric|8 rounds, 3 metrics|to 20, 1 metric|to 20, 3 metrics|worse|rounds|same|truth"
    )
    rows = [_row(kind, is_drifting, duels) for is_drifting in (False, True) for kind in KINDS]
    return table(head.split("|"), rows)


def _row(kind: str, is_drifting: bool, duels: int) -> list[str]:  # noqa: FBT001 - a parameter
    seed = [1, list(KINDS).index(kind), is_drifting]
    equals = []
    coverage = 1.0
    for design in (FIXED, SEQUENTIAL):
        runs = simulated(kind, [*seed, design.rounds], duels, design.rounds, metrics=3, is_drifting=is_drifting)
        alone = runs.first(1)
        equals += [judged(each, design.looks, zone=NO_ZONE).any_says(WORSE, BETTER) for each in (alone, runs)]
        coverage = min(coverage, judged(alone, design.looks).coverage(0))
    more, edge = (judged(alone.shifted(shift), SEQUENTIAL.looks) for shift in (0.05, 0.02))
    shares = [*equals, more.any_says(WORSE)]
    name = f"{kind}, drifting" if is_drifting else kind
    numbers = [f"{more.rounds.mean():.1f}", percent(edge.any_says(SAME)), percent(coverage)]
    return [name, *map(percent, shares), *numbers]


def of_spreads(duels: int) -> list[str]:
    """Return what duels up to 20 rounds say of a change, by the spread of one run, as a table of Markdown."""
    head = ["spread of a run", *(f"{100 * change:.0f} % more" if change else "equals" for change in CHANGES)]
    rows = []
    for spread in SPREADS:
        outcomes = (of_normal_runs(spread, change, duels) for change in CHANGES)
        rows.append([percent(spread), *map(_said, outcomes)])
    return table(head, rows)


def of_normal_runs(spread: float, change: float, duels: int, design: Design = SEQUENTIAL) -> Outcome:
    """Return how duels end whose runs spread normally, on a machine that is steady."""
    draw = np.random.default_rng([2, round(1e4 * spread), round(1e4 * change)])
    baseline, candidate = np.exp(spread * draw.standard_normal((2, duels, design.rounds, 1)))
    runs = Runs(baseline, candidate, (baseline[..., np.newaxis], candidate[..., np.newaxis])).shifted(change)
    return judged(runs, design.looks)


def _said(outcome: Outcome) -> str:
    words = ((WORSE, "worse"), (BETTER, "better"), (SAME, "same"), (UNKNOWN, "unknown"))
    shares = sorted(((outcome.any_says(code), word) for code, word in words), reverse=True)
    told = ", ".join(f"{word} {percent(share)}" for share, word in shares if share >= 0.005)
    return f"{told}; {outcome.rounds.mean():.1f} rounds"


def percent(share: float) -> str:
    """Return a share in words."""
    return f"{100 * share:.1f} %"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table of Markdown, a line each."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
