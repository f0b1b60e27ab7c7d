"""The change that each round of a duel showed, beside what does not matter and what all of them tell."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import FigureBase

from windtunnel.analysis.plots.drawing import Draw, Theme

_MOST_TICKS = 20


def plot_rounds(
    changes: Sequence[float], mean: float, interval: tuple[float, float], zone: float | None, unit: str
) -> Draw:
    """Return what draws a duel's rounds: a point each, their mean with its interval, and the zone that does not matter.

    Args:
        changes: The candidate beside the baseline in each round, in `unit`.
        mean: The change over all rounds.
        interval: Its interval.
        zone: The smallest change that matters, if that is known.
        unit: What the numbers are in, such as ``%``.
    """

    def draw(figure: FigureBase, theme: Theme) -> None:
        axes = figure.subplots()
        colour = theme.series[0]
        if zone is not None:
            axes.axhspan(-zone, zone, color=theme.muted, alpha=0.15, linewidth=0, label="does not matter")
        axes.axhspan(*interval, color=colour, alpha=0.15, linewidth=0, label="interval")
        axes.axhline(mean, color=colour, linewidth=1, label="all rounds")
        axes.axhline(0, color=theme.muted, linewidth=0.8)
        numbers = list(range(1, len(changes) + 1))
        axes.plot(numbers, changes, "o", color=colour, markersize=5 if len(changes) <= _MOST_TICKS else 3)
        axes.set_xlabel("round that counts")
        axes.set_ylabel(f"change, {unit}")
        axes.set_xlim(0.5, len(changes) + 0.5)
        if len(changes) <= _MOST_TICKS:
            axes.set_xticks(numbers)
        axes.margins(y=0.2)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))

    return draw
