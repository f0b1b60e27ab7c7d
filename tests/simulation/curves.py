"""Curves for the docs: the chance that a change is called worse, and the rounds that it takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from simulation.duels import WORSE
from simulation.tables import SPREADS, of_normal_runs

_CHANGES = np.arange(0, 0.1201, 0.005)


def draw_curves(duels: int, path: Path) -> None:
    """Draw both, a line for each spread of a run, into a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (chance, rounds) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    for spread in SPREADS:
        outcomes = [of_normal_runs(spread, float(change), duels) for change in _CHANGES]
        label = f"{100 * spread:g} %"
        chance.plot(100 * _CHANGES, [100 * outcome.any_says(WORSE) for outcome in outcomes], label=label)
        rounds.plot(100 * _CHANGES, [outcome.rounds.mean() for outcome in outcomes], label=label)
    chance.axhline(80, color="0.7", linewidth=0.8)
    chance.set(xlabel="true change for the worse, %", ylabel="duels that say so, %", ylim=(0, 102))
    rounds.set(xlabel="true change for the worse, %", ylabel="rounds, on average", ylim=(0, 21))
    for axes in (chance, rounds):
        axes.axvline(2, color="0.7", linewidth=0.8, linestyle=":")
        axes.spines[["top", "right"]].set_visible(False)
    chance.legend(title="spread of a run", frameon=False, loc="lower right")
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
