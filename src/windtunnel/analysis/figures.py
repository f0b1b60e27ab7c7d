"""The figures of a report: each an SVG with a sentence that gives its numbers."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from windtunnel.analysis.detail import MOST_LINES, Detail
from windtunnel.analysis.formatting import number, size
from windtunnel.analysis.plots import Line, draw_svg, plot_distribution, plot_timeline, plot_usage, plot_values
from windtunnel.analysis.plots.drawing import Draw
from windtunnel.analysis.plots.timeline import timeline_height
from windtunnel.analysis.plots.usage import MOST_STEPS
from windtunnel.run.record import MetricSummary

_MOST_VALUES = 24
_FEW_VALUES = 4
"""How many are drawn if not all can be: the table has them, and each takes a while."""
_MOST_DISTRIBUTIONS = 12
_SMALL = (3.5, 2.1)
_MIDDLE = (5.4, 2.7)
_WIDE = 12.0


@dataclass(frozen=True)
class Figure:
    """One figure: what it is called, the SVG, and a sentence below it."""

    title: str
    svg: Markup
    caption: str


@dataclass(frozen=True)
class Figures:
    """All figures of a report, and how many more metrics or steps there are than are drawn."""

    values: list[Figure]
    values_left_out: int
    distributions: list[Figure]
    distributions_left_out: int
    usage: Figure | None
    usage_left_out: int
    timeline: Figure | None


def figures_of(detail: Detail) -> Figures:
    """Return the figures that a run has something to show in."""
    metrics, distributions = detail.record.metrics, detail.distributions()
    drawn = len(metrics) if len(metrics) <= _MOST_VALUES else _FEW_VALUES
    steps = len({sample.step for sample in detail.usage})
    return Figures(
        values=[_values(detail, name, index) for index, name in enumerate(list(metrics)[:drawn])],
        values_left_out=len(metrics) - drawn,
        distributions=[
            _distribution(detail, name, lines, index)
            for index, (name, lines) in enumerate(list(distributions.items())[:_MOST_DISTRIBUTIONS])
        ],
        distributions_left_out=max(0, len(distributions) - _MOST_DISTRIBUTIONS),
        usage=_usage(detail) if detail.usage else None,
        usage_left_out=max(0, steps - MOST_STEPS),
        timeline=_timeline(detail) if detail.record.phases else None,
    )


def make_figure(draw: Draw, size: tuple[float, float], key: str, title: str, caption: str) -> Figure:
    """Return a plot of a size in inches as a figure; `key` makes its ids differ from those of all others."""
    # matplotlib made the SVG, from numbers and escaped names: it is markup, not text.
    svg = Markup(draw_svg(draw, size, f"{title}. {caption}", key))  # noqa: S704
    return Figure(title, svg, caption)


def _values(detail: Detail, name: str, index: int) -> Figure:
    metric = detail.record.metrics[name]
    draw = plot_values(metric, detail.iterations_of(name))
    return make_figure(draw, _SMALL, f"values-{index}", name, _in_words(metric))


def _in_words(metric: MetricSummary) -> str:
    unit = f" {metric.unit}" if metric.unit else ""
    if metric.n == 1:
        return f"One value: {number(metric.values[0])}{unit}."
    text = f"{metric.n} values from {number(min(metric.values))} to {number(max(metric.values))}{unit}"
    text += f", mean {number(metric.mean)}"
    if metric.ci95:
        text += f", 95 % interval {number(metric.ci95[0])} to {number(metric.ci95[1])}"
    return text + "."


def _distribution(detail: Detail, name: str, lines: list[Line], index: int) -> Figure:
    unit = next(metric.unit for other, metric in detail.record.metrics.items() if other.partition("{")[0] == name)
    drawn, more = lines[:MOST_LINES], len(lines) - MOST_LINES
    count = sum(len(line.values) for line in drawn)
    caption = f"{count:,} samples. A line says how many per cent of the samples"
    caption += " are at most that large; the steeper it is, the more alike they are."
    if more > 0:
        caption += f" {more} more label sets are in the table of percentiles."
    return make_figure(plot_distribution(drawn, unit), _MIDDLE, f"distribution-{index}", name, caption)


def _usage(detail: Detail) -> Figure:
    peaks: dict[str, tuple[float, int]] = {}
    for sample in detail.usage:
        cpu, memory = peaks.get(sample.step, (0.0, 0))
        peaks[sample.step] = max(cpu, sample.cpu), max(memory, sample.memory)
    parts = [f"{step} up to {cpu:.2f} cores and {size(memory)}" for step, (cpu, memory) in peaks.items()]
    caption = f"Over the whole run: {'; '.join(parts[:MOST_STEPS])}."
    draw = plot_usage(detail.usage, detail.origin, detail.measured)
    return make_figure(draw, (_WIDE, 4.6), "usage", "CPU and memory of each step over time", caption)


def _timeline(detail: Detail) -> Figure:
    phases = detail.record.phases
    kept = [phase.seconds for phase in phases if phase.phase == "run" and not phase.warmup]
    caption = f"{len(phases)} phases"
    if kept:
        caption += f"; {len(kept)} kept iterations took {number(sum(kept))} s in all"
    draw = plot_timeline(phases, detail.origin)
    size = (_WIDE, timeline_height(phases))
    return make_figure(
        draw, size, "timeline", "When each step started, became ready, ran and was stopped", f"{caption}."
    )
