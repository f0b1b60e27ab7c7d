"""Speed-up and efficiency as a person reads them on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from windtunnel.analysis.formatting import number
from windtunnel.cli.output import console
from windtunnel.cli.tables import Column, print_table

if TYPE_CHECKING:
    from windtunnel.analysis.scaling import Point, Scaling


def print_scalings(scalings: Sequence[Scaling]) -> None:
    """Show a table for each axis: a row a run, with the speed-up and efficiency of each metric that has them.

    What has none is told with its reason.
    """
    for axis, group in groupby(scalings, key=lambda scaling: scaling.axis):
        _print_axis(axis, list(group))


def _print_axis(axis: str, scalings: Sequence[Scaling]) -> None:
    from windtunnel.analysis.scaling import refusals_of
    from windtunnel.analysis.sweep import in_words

    shown = [scaling for scaling in scalings if not scaling.refused]
    out = console()
    if shown:
        metrics = list(dict.fromkeys(scaling.metric for scaling in shown))
        others = list(shown[0].values)
        columns = [Column(key, is_folded=True) for key in (*others, axis)]
        columns += [Column(metric, is_right=True, is_folded=True) for metric in metrics]
        cells: dict[tuple[str, ...], dict[str, str]] = {}
        for scaling in shown:
            for point in scaling.points:
                row = (*map(in_words, scaling.values.values()), f"{point.workers:g}")
                cells.setdefault(row, {})[scaling.metric] = _cell(point)
        out.print(
            f"speed-up over {axis}, against {shown[0].baseline:g}: 95 % interval, and efficiency",
            style="bold",
            markup=False,
        )
        print_table(columns, [[*row, *(found.get(metric, "–") for metric in metrics)] for row, found in cells.items()])
    for reason, names in refusals_of(scalings).items():
        out.print(f"no speed-up over {axis} of {', '.join(names)}: {reason}", markup=False)


def _cell(point: Point) -> str:
    if not point.speedup or not point.efficiency:
        return (point.refused or "–").partition(":")[0]
    interval = f" ({number(point.speedup.ci95[0])} to {number(point.speedup.ci95[1])})" if point.speedup.ci95 else ""
    return f"{number(point.speedup.value)}{interval} {point.efficiency.value:.0%}"
