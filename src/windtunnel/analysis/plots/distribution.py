"""How all kept samples of a metric are distributed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import FigureBase
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from windtunnel.analysis.plots.downsample import Values, ranks
from windtunnel.analysis.plots.drawing import LINE_STYLES, Draw, Theme, legible

_MOST_POINTS = 300
_LOG_RATIO = 30
_LARGEST_RATIO = 1e12
_DECADES_APART = 10_000
_TICKS = (0, 25, 50, 75, 90, 99)


@dataclass(frozen=True)
class Line:
    """Samples that make one line of a plot, and what the line is called."""

    name: str
    values: Values


def plot_distribution(lines: Sequence[Line], unit: str | None, title: str | None = None) -> Draw:
    """Return what draws the empirical distribution function of each line's samples.

    It says for each value how many per cent of the samples are at most as large. The axis
    is logarithmic when the largest value is 30 times the smallest, and that is above 0.
    """

    def draw(figure: FigureBase, theme: Theme) -> None:
        axes = figure.subplots()
        for index, line in enumerate(lines):
            values, count = np.sort(line.values), len(line.values)
            shown = ranks(count, _MOST_POINTS)
            axes.step(
                [values[0], *values[shown]],
                [0.0, *(100 * (shown + 1) / count)],
                where="post",
                color=theme.series[index % len(theme.series)],
                linestyle=LINE_STYLES[index % len(LINE_STYLES)],
                linewidth=1.4,
                label=legible(line.name),
            )
        lowest, highest = (choose(choose(line.values) for line in lines) for choose in (min, max))
        if lowest > 0 and _LOG_RATIO * lowest <= highest <= _LARGEST_RATIO * lowest:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if highest < _DECADES_APART * lowest else (1,)))
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(0, 102)
        axes.set_yticks(_TICKS)
        axes.set_xlabel(unit or "value")
        axes.set_ylabel("samples up to it, %")
        if title:
            axes.set_title(legible(title))
        if len(lines) > 1:
            axes.legend(loc="best", fontsize=8)

    return draw
