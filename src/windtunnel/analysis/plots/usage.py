"""CPU and memory of each step over the run's time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from windtunnel.analysis.plots.downsample import Envelope, Span, envelope, longest, merged
from windtunnel.analysis.plots.drawing import LINE_STYLES, Draw, LineStyle, Theme
from windtunnel.analysis.plots.palette import SERIES
from windtunnel.run.journal import UsageSample

MOST_STEPS = SERIES
_MOST_GROUPS = 300
_MOST_SPANS = 60
_MEBIBYTE = 2**20
_LOWEST_TOP = 0.1
_SHORTEST_GAP = 1 / 100  # of the width
_VISIBLE = 1 / 700  # of the width, some pixels on a page


@dataclass(frozen=True)
class _Look:
    colour: str
    style: LineStyle
    step: str
    origin: float
    gap: float


def plot_usage(usage: Sequence[UsageSample], origin: float, measured: Sequence[Span] = ()) -> Draw:
    """Return what draws cores used, cores waited for and memory of each step, one below the other.

    Args:
        usage: The samples, at least one; of more than 300 a step, neighbours are put together and a band shows
            their lowest and highest. The 6 steps with the most CPU are drawn.
        origin: Seconds since the epoch that are 0 on the axis.
        measured: When kept iterations ran, in seconds since `origin`; shaded, with a line where one begins.
    """
    steps = _by_step(usage)
    times = [sample.time for sample in usage]
    width = max(times) - min(times)

    def draw(figure: FigureBase, theme: Theme) -> None:
        top, middle, bottom = figure.subplots(3, 1, sharex=True, gridspec_kw={"height_ratios": (3, 1.5, 3)})
        for axes in (top, middle, bottom):
            for begin, end in merged(measured, width * _VISIBLE):
                axes.axvspan(begin, end, color=theme.muted, alpha=0.13, linewidth=0)
            for begin, _end in measured if len(measured) <= _MOST_SPANS else ():
                axes.axvline(begin, color=theme.muted, alpha=0.6, linewidth=0.7)
        for index, (step, samples) in enumerate(steps.items()):
            look = _Look(theme.series[index], LINE_STYLES[index], step, origin, width * _SHORTEST_GAP)
            _track(top, samples, [sample.cpu for sample in samples], look)
            _track(middle, samples, [sample.cpu_wait or 0.0 for sample in samples], look)
            known = [sample for sample in samples if sample.memory]
            _track(bottom, known, [sample.memory / _MEBIBYTE for sample in known], look)
        for axes, label in ((top, "CPU,\ncores"), (middle, "waiting,\ncores"), (bottom, "memory,\nMiB")):
            axes.set_ylabel(label)
            axes.set_ylim(0, max(1.1 * axes.dataLim.y1, _LOWEST_TOP))
        figure.align_ylabels([top, middle, bottom])
        bottom.set_xlabel("seconds since the run began; shaded: kept iterations")
        top.legend(loc="lower left", ncols=MOST_STEPS, bbox_to_anchor=(0, 1.0), borderaxespad=0.2)

    return draw


def _by_step(usage: Sequence[UsageSample]) -> Mapping[str, list[UsageSample]]:
    steps: dict[str, list[UsageSample]] = {}
    for sample in usage:
        steps.setdefault(sample.step, []).append(sample)
    work = [sum(sample.cpu * sample.seconds for sample in samples) for samples in steps.values()]
    drawn = longest(list(steps), work, MOST_STEPS)
    return {step: samples for step, samples in steps.items() if step in drawn}


def _track(axes: Axes, samples: Sequence[UsageSample], values: Sequence[float], look: _Look) -> None:
    end = np.array([sample.time - look.origin for sample in samples])
    begin = end - np.array([sample.seconds for sample in samples])
    begin[1:] = np.maximum(begin[1:], end[:-1])  # replicas' intervals, and the ends of short runs, overlap
    thin = envelope(begin, np.maximum(begin, end), np.array(values), _MOST_GROUPS)
    times, mean, low, high = _stairs(thin, look.gap)
    if len(samples) > _MOST_GROUPS:
        axes.fill_between(times, low, high, color=look.colour, alpha=0.25, linewidth=0)
    axes.plot(times, mean, color=look.colour, linestyle=look.style, linewidth=1.2, label=look.step)


def _stairs(thin: Envelope, gap: float) -> tuple[list[float], list[float], list[float], list[float]]:
    """Return times and values so that each holds for its whole interval, and nothing is drawn between two runs."""
    columns: tuple[list[float], list[float], list[float], list[float]] = ([], [], [], [])
    before = None
    for begin, end, *values in zip(thin.begin, thin.end, thin.mean, thin.low, thin.high, strict=True):
        points = [(begin, *values), (end, *values)]
        if before is not None and begin - before > gap:
            points.insert(0, (begin, *(float("nan"),) * 3))
        before = end
        for point in points:
            for column, value in zip(columns, point, strict=True):
                column.append(float(value))
    return columns
