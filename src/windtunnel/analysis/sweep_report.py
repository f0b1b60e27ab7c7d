"""A sweep's report: one HTML file that compares its runs, with speed-up and efficiency where workers are varied."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windtunnel.analysis.page import load_template, read_text, relative
from windtunnel.analysis.scaling import Point, Scaling, refusals_of, scalings_of
from windtunnel.analysis.sweep import Axis, axes_of, in_words, load_records, trouble, values_of
from windtunnel.analysis.sweep_environment import environment_of
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord

if TYPE_CHECKING:
    from windtunnel.analysis.figures import Figure

_MOST_RUNS = 200
_MOST_COLUMNS = 6
_MOST_METRICS = 16
_MOST_SCALED = 6
_MOST_NAMED = 12


@dataclass(frozen=True)
class Line:
    """One run in the report: its record, the matrix's values as text, what is wrong with it, and where it is."""

    record: RunRecord
    words: Sequence[str]
    trouble: str | None
    link: str


@dataclass(frozen=True)
class MetricPart:
    """One metric in the report: what it is called, its unit and direction, and its figures."""

    name: str
    unit: str | None
    better: str | None
    figures: Sequence[Figure]


@dataclass(frozen=True)
class ScalingPart(MetricPart):
    """The speed-up of one metric: also the rows of its table, each with the keys' values, and how many are left out."""

    rows: Sequence[tuple[Sequence[str], Point]]
    rows_left_out: int


def render(folders: Sequence[RunFolder], at: Path, workers: Collection[str] = ()) -> str:
    """Return the report of a sweep as HTML that needs no other file.

    Args:
        folders: The sweep's runs, at least one.
        at: The folder in which the report will lie: links to the runs start there.
        workers: Keys of the matrix that say how many work at once, beside those that are known.

    Raises:
        UsageError: A run has no record, `workers` has a wrong key, or the ``report`` extra is not installed.
    """
    template = load_template("sweep.html.j2")
    records = load_records(folders)
    axes = axes_of(records, workers)
    lines = [_line(record, axes, at) for record in records]
    first = RunFolder(Path(records[0].path or ""))
    return template.render(
        sweep_id=records[0].sweep.id if records[0].sweep else "",
        first=min(records, key=lambda record: record.started or ""),
        axes=axes,
        lines=lines,
        valid=sum(record.validity == "valid" for record in records),
        suspect=sum(record.validity == "suspect" for record in records),
        planned=_planned(first),
        columns=_metrics(records)[:_MOST_COLUMNS],
        most_runs=_MOST_RUNS,
        **_plots(records, axes, workers),
        **vars(environment_of(records)),
        benchmark=read_text(first, "benchmark.toml"),
    )


def _line(record: RunRecord, axes: Sequence[Axis], at: Path) -> Line:
    path, values = Path(record.path or ""), values_of(record)
    link = relative(path, at) + ("report.html" if (path / "report.html").is_file() else "")
    return Line(record, [in_words(values[axis.key]) for axis in axes], trouble(record), link)


def _metrics(records: Sequence[RunRecord]) -> list[str]:
    return list(dict.fromkeys(name for record in records for name in record.metrics))


def _planned(folder: RunFolder) -> int | None:
    """Return how many combinations the matrix has; None if the run lacks its benchmark."""
    try:
        return math.prod(
            len(values) for values in tomllib.loads(read_text(folder, "benchmark.toml"))["matrix"].values()
        )
    except (ValueError, KeyError, AttributeError, TypeError):
        return None


def _plots(records: Sequence[RunRecord], axes: Sequence[Axis], workers: Collection[str]) -> dict[str, Any]:
    """Return what is drawn: each metric along an axis, and the speed-ups along each axis of workers."""
    from windtunnel.analysis.sweep_figures import metric_figure

    names, scalings = _metrics(records), scalings_of(records, workers)
    drawn = _drawn_axes(axes)
    metrics = []
    for place, name in enumerate(names[:_MOST_METRICS]):
        metric = next(record.metrics[name] for record in records if name in record.metrics)
        figures = [
            metric_figure(f"metric-{place}-{number}", name, axis, axes, records) for number, axis in enumerate(drawn)
        ]
        metrics.append(MetricPart(name, metric.unit, metric.better, figures))
    return {
        "metrics": metrics,
        "metrics_left_out": max(0, len(names) - _MOST_METRICS),
        "speedups": [
            _speedup(place, axis, [each for each in scalings if each.axis == axis.key])
            for place, axis in enumerate(axis for axis in axes if axis.is_workers)
        ],
    }


def _drawn_axes(axes: Sequence[Axis]) -> list[Axis]:
    """Return the axes along which metrics are drawn: those of workers, else the one with the most numbers or values."""
    varied = [axis for axis in axes if len(axis.values) > 1]
    workers = [axis for axis in varied if axis.is_workers]
    best = sorted(varied, key=lambda axis: (axis.numbers is None, -len(axis.values)))
    return workers or best[:1]


def _speedup(place: int, axis: Axis, scalings: Sequence[Scaling]) -> dict[str, Any]:
    """Return one axis with the metrics that have a speed-up along it, and why others have none."""
    by_metric: dict[str, list[Scaling]] = {}
    for scaling in scalings:
        by_metric.setdefault(scaling.metric, []).append(scaling)
    shown = {name: group for name, group in by_metric.items() if not all(each.refused for each in group)}
    return {
        "axis": axis,
        "others": list(scalings[0].values) if scalings else [],
        "baseline": (axis.numbers or ())[0],
        "parts": [
            _scaling_part(f"speed-up-{place}-{number}", axis, group)
            for number, group in enumerate(list(shown.values())[:_MOST_SCALED])
        ],
        "left_out": max(0, len(shown) - _MOST_SCALED),
        "refused": {
            reason: ", ".join(names[:_MOST_NAMED])
            + (f" and {more} more" if (more := len(names) - _MOST_NAMED) > 0 else "")
            for reason, names in refusals_of(scalings).items()
        },
    }


def _scaling_part(key: str, axis: Axis, scalings: Sequence[Scaling]) -> ScalingPart:
    from windtunnel.analysis.sweep_figures import scaling_figures

    first = scalings[0]
    rows = [
        ([*map(in_words, scaling.values.values()), f"{point.workers:g}"], point)
        for scaling in scalings
        if not scaling.refused
        for point in scaling.points
    ]
    return ScalingPart(
        name=first.metric,
        unit=first.unit,
        better=first.better,
        figures=scaling_figures(key, axis, scalings),
        rows=rows[:_MOST_RUNS],
        rows_left_out=max(0, len(rows) - _MOST_RUNS),
    )
