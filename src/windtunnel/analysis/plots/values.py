"""A metric's value for each iteration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import FigureBase

from windtunnel.analysis.plots.downsample import envelope
from windtunnel.analysis.plots.drawing import Draw, Theme, legible
from windtunnel.run.record import MetricSummary

_MOST_TICKS = 12
_MOST_DOTS = 120
_MOST_GROUPS = 150


def plot_values(metric: MetricSummary, iterations: Sequence[int], title: str | None = None) -> Draw:
    """Return what draws each iteration's value, the mean as a line and its 95 % interval as a band.

    Beyond 120 iterations dots would cover each other: a line joins the values, and beyond
    150, bands from the lowest to the highest of neighbours.

    Args:
        metric: The metric.
        iterations: The number of each value's iteration.
        title: Title above the plot.
    """

    def draw(figure: FigureBase, theme: Theme) -> None:
        axes = figure.subplots()
        colour = theme.series[0]
        if metric.ci95:
            axes.axhspan(*metric.ci95, color=colour, alpha=0.15, linewidth=0)
        axes.axhline(metric.mean, color=colour, linewidth=1)
        numbers, values = np.asarray(iterations, dtype=float), np.asarray(metric.values)
        if metric.n <= _MOST_DOTS:
            axes.plot(numbers, values, "o", color=colour, markersize=5 if metric.n <= _MOST_TICKS else 3)
        else:
            thin = envelope(numbers, numbers, values, _MOST_GROUPS)
            if metric.n > _MOST_GROUPS:
                axes.fill_between(thin.begin, thin.low, thin.high, color=colour, alpha=0.35, linewidth=0)
            axes.plot(thin.begin, thin.mean, color=colour, linewidth=0.8)
        if title:
            axes.set_title(legible(title))
        axes.set_xlabel("iteration")
        axes.set_ylabel(metric.unit or "value")
        axes.set_xlim(numbers[0] - 0.5, numbers[-1] + 0.5)
        if metric.n <= _MOST_TICKS:
            axes.set_xticks(list(iterations))
        axes.margins(y=0.25)
        if metric.n == 1 or not metric.stdev:
            room = abs(metric.mean) / 10 or 1.0
            axes.set_ylim(metric.mean - room, metric.mean + room)
        axes.ticklabel_format(axis="y", useOffset=False)

    return draw
