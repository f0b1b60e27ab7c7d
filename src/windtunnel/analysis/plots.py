"""Plots of one run, as SVG that takes its colours from the page around it.

matplotlib draws with stand-in colours, which are then replaced by CSS variables: so one
file reads well on a light and on a dark page, and in print.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from windtunnel.run.journal import UsageSample
from windtunnel.run.record import MetricSummary, Phase

_INK, _MUTED, _GRID, _CARD = "#010101", "#020202", "#030303", "#040404"
_SERIES = ("#0a0101", "#0a0102", "#0a0103", "#0a0104", "#0a0105", "#0a0106")
_VARIABLES = {_INK: "--ink", _MUTED: "--muted", _GRID: "--grid", _CARD: "--card"} | {
    colour: f"--series-{index}" for index, colour in enumerate(_SERIES, start=1)
}
_PHASE_SERIES = {"start": 3, "ready": 1, "run": 0, "stop": 2}
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "windtunnel",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "text.parse_math": False,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
}
_MEBIBYTE = 2**20
_ROW_HEIGHT = 0.32


def plot_values(name: str, metric: MetricSummary) -> str:
    """Return a metric's value for each kept iteration, with the mean and its interval."""
    with mpl.rc_context(_STYLE):
        figure, (axes,) = _figure(3.4, 2.0)
        iterations = range(1, metric.n + 1)
        if metric.ci95:
            axes.axhspan(*metric.ci95, color=_SERIES[0], alpha=0.15, linewidth=0)
        axes.axhline(metric.mean, color=_SERIES[0], linewidth=1)
        axes.plot(iterations, metric.values, "o", color=_SERIES[0], markersize=5)
        axes.set_xlabel("iteration")
        axes.set_ylabel(metric.unit or "value")
        axes.set_xlim(0.5, metric.n + 0.5)
        if metric.n <= 12:  # noqa: PLR2004 - as many ticks as fit
            axes.set_xticks(list(iterations))
        axes.margins(y=0.25)
        return _svg(figure, f"{name}, one point an iteration; the line is the mean, the band its 95 % interval")


def plot_usage(usage: Sequence[UsageSample], origin: float) -> str:
    """Return CPU and memory of every step over time, in seconds since `origin`."""
    with mpl.rc_context(_STYLE):
        figure, (top, bottom) = _figure(7.2, 3.6, rows=2)
        for index, (step, samples) in enumerate(_by_step(usage).items()):
            colour = _SERIES[index % len(_SERIES)]
            times = [sample.time - origin for sample in samples]
            top.plot(times, [sample.cpu for sample in samples], color=colour, linewidth=1.3, label=step)
            waits = [sample.cpu_wait or 0.0 for sample in samples]
            top.plot(times, waits, color=colour, linewidth=1, linestyle=":")
            memory = [sample.memory / _MEBIBYTE for sample in samples]
            bottom.plot(times, memory, color=colour, linewidth=1.3, label=step)
        top.set_ylabel("CPU, cores")
        bottom.set_ylabel("memory, MiB")
        bottom.set_xlabel("seconds since the run began")
        for axes in (top, bottom):
            axes.set_ylim(bottom=0)
        top.legend(frameon=False, loc="upper left", ncols=4, bbox_to_anchor=(0, 1.22))
        return _svg(figure, "CPU and memory of each step over time; dotted: time spent waiting for a CPU")


def plot_timeline(phases: Sequence[Phase]) -> str:
    """Return a bar for each phase of each step over the run's time."""
    steps = list(dict.fromkeys(phase.step for phase in phases))
    origin = min(_seconds(phase) for phase in phases)
    with mpl.rc_context(_STYLE):
        figure, (axes,) = _figure(7.2, 0.9 + _ROW_HEIGHT * len(steps))
        seen: set[str] = set()
        for phase in phases:
            colour = _SERIES[_PHASE_SERIES[phase.phase]]
            name = "warm-up" if phase.warmup else phase.phase
            axes.barh(
                steps.index(phase.step),
                max(phase.seconds, 0.002),
                left=_seconds(phase) - origin,
                height=0.6,
                color=colour,
                edgecolor=_CARD,
                linewidth=0.8,
                alpha=0.4 if phase.warmup else 1.0,
                label=None if name in seen else name,
            )
            seen.add(name)
        axes.set_yticks(range(len(steps)), steps)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("seconds since the first phase")
        figure.legend(frameon=False, loc="outside upper left", ncols=5)
        return _svg(figure, "When each step started, became ready, ran and was stopped")


def _figure(width: float, height: float, rows: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0])


def _by_step(usage: Sequence[UsageSample]) -> Mapping[str, list[UsageSample]]:
    steps: dict[str, list[UsageSample]] = {}
    for sample in usage:
        steps.setdefault(sample.step, []).append(sample)
    return steps


def _seconds(phase: Phase) -> float:
    return datetime.fromisoformat(phase.started).timestamp()


def _svg(figure: Figure, description: str) -> str:
    """Return a figure as inline SVG that a screen reader announces by `description`."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    text = re.sub(r'<svg\b[^>]*?viewBox="([^"]*)"[^>]*>', lambda match: _opening(match[1], description), text, count=1)
    return re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)


def _opening(view_box: str, description: str) -> str:
    escaped = description.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{view_box}"'
        f' role="img" aria-label="{escaped}">'
    )
