"""A run's plots as PNG, for places that show images and no page."""

from __future__ import annotations

import math

from matplotlib.figure import FigureBase

from windtunnel.analysis.detail import MOST_LINES, Detail, load_detail
from windtunnel.analysis.plots import draw_png, plot_distribution, plot_timeline, plot_usage, plot_values
from windtunnel.analysis.plots.drawing import Draw, Theme
from windtunnel.analysis.plots.timeline import timeline_height
from windtunnel.run.folder import RunFolder

_MOST_PLOTS = 12
_COLUMNS = 3
_WIDTH = 9.0
_ROW_HEIGHT = 2.3


def png_plots(folder: RunFolder) -> dict[str, bytes]:
    """Return a run's plots as PNG, 900 pixels wide, in light colours.

    Returns:
        ``values`` (a small plot of value per iteration for each of the first 12 metrics),
        ``distribution`` (likewise, where there are enough samples), ``usage`` and
        ``timeline``; what a run has nothing to show for is left out.

    Raises:
        UsageError: The run has no record.
    """
    detail = load_detail(folder)
    record = detail.record
    plots: dict[str, bytes] = {}
    if record.metrics:
        values = [plot_values(m, detail.iterations_of(name), name) for name, m in record.metrics.items()]
        plots["values"] = _grid(values)
    if distributions := _distributions(detail):
        plots["distribution"] = _grid(distributions)
    if detail.usage:
        plots["usage"] = draw_png(plot_usage(detail.usage, detail.origin, detail.measured), (_WIDTH, 4.2))
    if record.phases:
        size = (_WIDTH, min(timeline_height(record.phases), _WIDTH))
        plots["timeline"] = draw_png(plot_timeline(record.phases, detail.origin), size)
    return plots


def _distributions(detail: Detail) -> list[Draw]:
    units = {name.partition("{")[0]: metric.unit for name, metric in detail.record.metrics.items()}
    return [plot_distribution(lines[:MOST_LINES], units[name], name) for name, lines in detail.distributions().items()]


def _grid(plots: list[Draw]) -> bytes:
    """Return the first plots as one image of up to 3 columns."""
    shown = plots[:_MOST_PLOTS]
    columns = min(_COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)

    def draw(figure: FigureBase, theme: Theme) -> None:
        cells = figure.subfigures(rows, columns, squeeze=False).flat
        for cell, plot in zip(cells, shown, strict=False):
            plot(cell, theme)

    return draw_png(draw, (_WIDTH, _ROW_HEIGHT * rows + (1.0 if columns == 1 else 0)))
