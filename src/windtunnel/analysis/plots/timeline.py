"""When each step started, became ready, ran and was stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.patches import Patch

from windtunnel.analysis.plots.downsample import Span, coverage
from windtunnel.analysis.plots.drawing import Draw, Theme
from windtunnel.run.record import Phase

_SERIES = {"start": 3, "ready": 1, "up": 5, "warm-up": 0, "run": 0, "stop": 2}
_FAINT = {"up": 0.3, "warm-up": 0.45}
_HATCHES = {"warm-up": "////"}
_ROW_HEIGHT = 0.34
_MANY = 120
_VISIBLE = 1 / 700
_BINS = 400
_LOWEST = 0.12
_NUMBER_WIDTH = 1 / 60


def timeline_height(phases: Sequence[Phase]) -> float:
    """Return the height in inches that the timeline of these phases needs."""
    return 1.0 + _ROW_HEIGHT * len(_rows(phases))


def phase_spans(phases: Sequence[Phase], origin: float) -> dict[tuple[str, str], list[Span]]:
    """Return when each step was in each phase, in seconds since `origin`; warm-up runs are a phase of their own.

    A service is ``up`` from when it was ready until it is stopped.
    """
    spans: dict[tuple[str, str], list[Span]] = {}
    ready: dict[str, float] = {}
    for phase in phases:
        begin = seconds_of(phase.started) - origin
        end = begin + phase.seconds
        if phase.phase == "ready":
            ready[phase.step] = end
        elif phase.phase == "stop" and phase.step in ready:
            spans.setdefault((phase.step, "up"), []).append((ready.pop(phase.step), begin))
        spans.setdefault((phase.step, "warm-up" if phase.warmup else phase.phase), []).append((begin, end))
    return spans


def seconds_of(moment: str) -> float:
    """Return an RFC 3339 moment as seconds since the epoch."""
    return datetime.fromisoformat(moment).timestamp()


def plot_timeline(phases: Sequence[Phase], origin: float) -> Draw:
    """Return what draws a bar for each phase of each step, in seconds since `origin`.

    With more than 120 phases each phase has a row of its own, in which the height is the
    share of the time that it took; one that was there at all can be seen.
    """
    spans = phase_spans(phases, origin)
    rows = _rows(phases)
    is_dense = len(phases) > _MANY
    last = max(end for group in spans.values() for _begin, end in group)
    first = min(0.0, *(begin for group in spans.values() for begin, _end in group))
    width = max(last - first, 0.001)

    def draw(figure: FigureBase, theme: Theme) -> None:
        axes = figure.subplots()
        for (step, name), group in spans.items():
            if is_dense:
                _draw_shares(axes, group, rows.index(f"{step}: {name}"), (first, first + width), _look(name, theme))
            else:
                bars = [(begin, max(end - begin, width * _VISIBLE)) for begin, end in group]
                axes.broken_barh(bars, (rows.index(step) - 0.3, 0.6), **_look(name, theme))
        for phase, text in () if is_dense else _numbers(phases, width):
            begin, row = seconds_of(phase.started) - origin, rows.index(phase.step)
            colour = theme.ink if phase.warmup else theme.card
            axes.vlines(begin, row - 0.3, row + 0.3, color=theme.card, linewidth=1)
            axes.text(begin + phase.seconds / 2, row, text, ha="center", va="center", color=colour, size=8)
        axes.set_yticks(range(len(rows)), rows)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(first, last + width * 0.005)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("seconds since the run began" + ("; height: share of the time" if is_dense else ""))
        handles = [] if is_dense else _legend(spans, theme)
        axes.legend(handles=handles, loc="lower left", ncols=6, bbox_to_anchor=(0, 1.0), borderaxespad=0.2)

    return draw


def _draw_shares(axes: Axes, group: Sequence[Span], row: int, ends: Span, look: Mapping[str, Any]) -> None:
    edges = np.linspace(*ends, _BINS + 1)
    shares = coverage(group, edges)
    heights = np.where(shares > 0, np.maximum(shares, _LOWEST), 0.0) * 0.8
    axes.fill_between(edges, row + 0.4, row + 0.4 - np.append(heights, heights[-1]), step="post", **look)


def _look(name: str, theme: Theme) -> dict[str, Any]:
    return {
        "facecolor": theme.series[_SERIES[name]],
        "alpha": _FAINT.get(name, 1.0),
        "hatch": _HATCHES.get(name),
        "edgecolor": theme.card,
        "linewidth": 0,
    }


def _rows(phases: Sequence[Phase]) -> list[str]:
    if len(phases) <= _MANY:
        return list(dict.fromkeys(phase.step for phase in phases))
    order = list(_SERIES)
    steps = list(dict.fromkeys(phase.step for phase in phases))
    pairs = sorted(phase_spans(phases, 0.0), key=lambda pair: (steps.index(pair[0]), order.index(pair[1])))
    return [f"{step}: {name}" for step, name in pairs]


def _numbers(phases: Sequence[Phase], width: float) -> Iterator[tuple[Phase, str]]:
    """Yield each run whose bar has room for its iteration's number, and the words to write there."""
    for phase in phases:
        if phase.phase == "run" and phase.seconds >= width * _NUMBER_WIDTH:
            has_room = phase.warmup and phase.seconds > width / 10
            yield phase, f"warm-up {phase.iteration}" if has_room else str(phase.iteration)


def _legend(spans: Mapping[tuple[str, str], list[Span]], theme: Theme) -> list[Patch]:
    names = {name for _step, name in spans}
    return [
        Patch(label="run (kept)" if name == "run" else name, **_look(name, theme)) for name in _SERIES if name in names
    ]
