"""The figures of a sweep's report: a metric, its speed-up and its efficiency along an axis of the matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from windtunnel.analysis.figures import Figure, make_figure
from windtunnel.analysis.formatting import number
from windtunnel.analysis.plots.drawing import Draw
from windtunnel.analysis.plots.lines import Dot, Scale, Series, legend_height, plot_lines
from windtunnel.analysis.plots.palette import SERIES
from windtunnel.analysis.plots.scaling import plot_efficiency, plot_speedup
from windtunnel.analysis.ratio import Estimate
from windtunnel.analysis.scaling import Point, Scaling
from windtunnel.analysis.sweep import Axis, group_by, in_words, values_of
from windtunnel.run.record import MetricSummary, RunRecord

Item = TypeVar("Item")
_SIZE = (5.4, 2.9)
_SIGNS = "Hollow: suspect. Cross: no valid numbers."
_NO_SPEEDUP = "Cross: none, as the table says."


def metric_figure(key: str, name: str, axis: Axis, axes: Sequence[Axis], records: Sequence[RunRecord]) -> Figure:
    """Return a metric of all runs along an axis, a line for each combination of the other axes' values."""
    others = [other for other in axes if other is not axis and len(other.values) > 1]
    groups = group_by(records, others)
    series = [
        Series(_words(values), [_dot(name, axis, record) for record in _in_order(axis, group)])
        for values, group in _drawn(groups)
    ]
    unit = next((record.metrics[name].unit for record in records if name in record.metrics), None)
    draw = plot_lines(series, _scale(axis), unit, _title(others))
    caption = " ".join(
        [
            f"Means with 95 % intervals, over {axis.key}.",
            *_extremes(name, records),
            *_legend(len(groups), series, _SIGNS),
        ]
    )
    return make_figure(draw, _size(series), key, name, caption)


def scaling_figures(key: str, axis: Axis, scalings: Sequence[Scaling]) -> list[Figure]:
    """Return speed-up and efficiency of one metric, a line for each of its scalings that has some; maybe none."""
    name = scalings[0].metric
    varied = [other for other in scalings[0].values if len({in_words(each.values[other]) for each in scalings}) > 1]
    others = [(_words({other: each.values[other] for other in varied}), each) for each in scalings if _is_known(each)]
    if not others:
        return []
    drawn = _drawn(others)

    def figure(what: str, plot: Callable[[Sequence[Series], Scale, str], Draw], factor: float) -> Figure:
        def pick(point: Point) -> Estimate | None:
            estimate = point.speedup if what == "speed-up" else point.efficiency
            return estimate and estimate.divided_by(1 / factor)

        series = [Series(words, [_point(axis, point, pick(point)) for point in each.points]) for words, each in drawn]
        caption = " ".join(
            [*_best(what, [each for _words, each in others], pick), *_legend(len(others), series, _NO_SPEEDUP)]
        )
        draw = plot(series, _scale(axis), ", ".join(varied))
        return make_figure(draw, _size(series), f"{key}-{what}", f"{name}: {what} over {axis.key}", caption)

    return [figure("speed-up", plot_speedup, 1.0), figure("efficiency", plot_efficiency, 100.0)]


def _dot(name: str, axis: Axis, record: RunRecord) -> Dot:
    place, metric = axis.place(values_of(record)), record.metrics.get(name)
    if metric is None or record.validity not in {"valid", "suspect"}:
        return Dot(place, None, is_valid=False)
    return Dot(place, metric.mean, metric.ci95, is_valid=record.validity == "valid")


def _point(axis: Axis, point: Point, estimate: Estimate | None) -> Dot:
    place = (axis.numbers or ()).index(point.workers)
    return Dot(place, estimate.value, estimate.ci95) if estimate else Dot(place, None, is_valid=False)


def _is_known(scaling: Scaling) -> bool:
    """Tell whether there is a speed-up of another run than that with which all are compared."""
    return any(point.speedup and point.workers > scaling.baseline for point in scaling.points)


def _in_order(axis: Axis, records: Sequence[RunRecord]) -> list[RunRecord]:
    return sorted(records, key=lambda record: axis.place(values_of(record)))


def _scale(axis: Axis) -> Scale:
    return Scale(axis.key, [in_words(value) for value in axis.values], axis.numbers)


def _words(values: Mapping[str, Any]) -> str:
    return ", ".join(map(in_words, values.values()))


def _title(axes: Sequence[Axis]) -> str:
    return ", ".join(axis.key for axis in axes)


def _drawn(items: Sequence[Item]) -> Sequence[Item]:
    """Return as many of the lines as have colours, from the first to the last."""
    if len(items) <= SERIES:
        return items
    return [items[round(place * (len(items) - 1) / (SERIES - 1))] for place in range(SERIES)]


def _size(series: Sequence[Series]) -> tuple[float, float]:
    width, height = _SIZE
    return width, height + legend_height(series)


def _extremes(name: str, records: Sequence[RunRecord]) -> list[str]:
    """Return the smallest and the largest mean of valid runs in words."""
    valid: list[MetricSummary] = [
        record.metrics[name] for record in records if record.validity == "valid" and name in record.metrics
    ]
    if not valid:
        return ["No run has valid numbers."]
    low, high = (choose(metric.mean for metric in valid) for choose in (min, max))
    unit = f" {valid[0].unit}" if valid[0].unit else ""
    return [f"From {number(low)} to {number(high)}{unit}."]


def _best(what: str, scalings: Sequence[Scaling], pick: Callable[[Point], Estimate | None]) -> list[str]:
    """Return the estimate for the most workers, of the line where it is largest, in words."""
    ends = [(point.workers, estimate) for each in scalings for point in each.points if (estimate := pick(point))]
    most = max(workers for workers, _estimate in ends)
    there = [estimate for workers, estimate in ends if workers == most]
    best = max(there, key=lambda estimate: estimate.value)
    sign = " %" if what == "efficiency" else ""
    interval = f" ({number(best.ci95[0])} to {number(best.ci95[1])}{sign})" if best.ci95 else ""
    return [f"At {most:g}: {number(best.value)}{sign}{interval}{', the best line' if len(there) > 1 else ''}."]


def _legend(lines: int, series: Sequence[Series], signs: str) -> list[str]:
    """Return what a reader has to know of the lines and signs in words."""
    left_out = [f"{len(series)} of {lines} lines are drawn; the table has all."] if len(series) < lines else []
    has_signs = any(not dot.is_valid for line in series for dot in line.dots)
    return [*left_out, *([signs] if has_signs else [])]
