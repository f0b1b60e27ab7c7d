"""Speed-up and efficiency over the number of workers, beside what is ideal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from windtunnel.analysis.plots.drawing import Draw, Theme
from windtunnel.analysis.plots.lines import Scale, Series, plot_series

_ROOM = 1.08


def plot_speedup(series: Sequence[Series], scale: Scale, title: str) -> Draw:
    """Return what draws speed-up over workers: the ideal is a line from 1 to the most workers over the fewest.

    Args:
        series: The lines, 6 at most; y is a speed-up.
        scale: The numbers of workers.
        title: What the lines' names are values of.
    """

    def finish(axes: Axes, theme: Theme) -> None:
        numbers = scale.numbers or [1.0]
        axes.plot(numbers, [number / numbers[0] for number in numbers], **_ideal(theme))
        axes.set_ylabel("speed-up")
        if scale.is_logarithmic:
            axes.set_yscale("log", base=2)
            axes.yaxis.set_major_formatter("{x:g}")
        else:
            axes.set_ylim(0, axes.dataLim.y1 * _ROOM)

    return plot_series(series, scale, title, finish)


def plot_efficiency(series: Sequence[Series], scale: Scale, title: str) -> Draw:
    """Do what `plot_speedup` does for efficiency in per cent, of which the ideal is 100."""

    def finish(axes: Axes, theme: Theme) -> None:
        numbers = scale.numbers or [1.0]
        axes.plot(numbers, [100.0] * len(numbers), **_ideal(theme))
        axes.set_ylabel("efficiency, %")
        axes.set_ylim(0, axes.dataLim.y1 * _ROOM)

    return plot_series(series, scale, title, finish)


def _ideal(theme: Theme) -> dict[str, Any]:
    return {"label": "ideal", "color": theme.muted, "linestyle": (0, (4, 3)), "linewidth": 1, "zorder": 1}
