"""Speed-up and parallel efficiency: how much more is done by more workers."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from windtunnel.analysis.ratio import Estimate, ratio_of_means
from windtunnel.analysis.sweep import Axis, axes_of, describe, group_by, trouble, values_of
from windtunnel.run.record import MetricSummary, RunRecord

_EXACTLY_ONE = Estimate(1.0, None)


@dataclass(frozen=True)
class Point:
    """One run: its speed-up against the run with the fewest workers.

    Attributes:
        run_id: The run.
        workers: How many work at once, p.
        speedup: S(p); of the run with the fewest it is 1, and has no interval.
        efficiency: S(p) over p / p0, 1 if each worker does as much as each did before.
        refused: Why there is neither, in words.
    """

    run_id: str | None
    workers: float
    speedup: Estimate | None = None
    efficiency: Estimate | None = None
    refused: str | None = None


@dataclass(frozen=True)
class Scaling:
    """Speed-up of one metric over one axis, all other values of the matrix being the same.

    Attributes:
        axis: The key that says how many work at once.
        metric: The metric.
        unit: The metric's unit.
        better: Which values of the metric are better; None if the benchmark does not say.
        values: The value of each other key of the matrix.
        baseline: The fewest workers in the sweep, p0.
        points: The runs, from few workers to many.
        refused: Why there is no speed-up at all, in words.
    """

    axis: str
    metric: str
    unit: str | None
    better: str | None
    values: Mapping[str, Any]
    baseline: float
    points: Sequence[Point] = field(default_factory=tuple)
    refused: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON data; an estimate is its value, beside its interval."""
        return vars(self) | {"points": [_point_as_json(point) for point in self.points]}


def scalings_of(records: Sequence[RunRecord], workers: Collection[str] = ()) -> list[Scaling]:
    """Return the scaling of each metric of a sweep over each axis that says how many work at once.

    For a metric of which lower values are better, such as a time T, S(p) = T(p0) / T(p); for one of which higher
    values are better, such as a rate X, S(p) = X(p) / X(p0); efficiency is S(p) / (p / p0). T and X are
    means over iterations. p0 is the fewest workers of the sweep; the work is taken to be the same for all p.
    The intervals are those of `ratio_of_means`; all points share the run with p0, and with it its error.

    Source: Eager, Zahorjan and Lazowska (1989), "Speedup versus efficiency in parallel systems", IEEE
    Transactions on Computers 38, 408-423.

    Args:
        records: The runs of the sweep.
        workers: Keys that say how many work at once, beside those that are known (`counts_workers`).

    Raises:
        UsageError: One of `workers` is no such key.
    """
    axes = axes_of(records, workers) if records else []
    metrics = list(dict.fromkeys(name for record in records for name in record.metrics))
    found = []
    for axis in axes:
        if axis.is_workers:
            groups = group_by(records, [other for other in axes if other is not axis])
            found += [_scaling(axis, name, values, group) for name in metrics for values, group in groups]
    return found


def refusals_of(scalings: Sequence[Scaling]) -> dict[str, list[str]]:
    """Return each reason for no speed-up, with the metrics (and the other keys' values) that it holds for."""
    reasons: dict[str, list[str]] = {}
    for each in scalings:
        if each.refused:
            values = f" ({describe(each.values)})" if each.values else ""
            reasons.setdefault(each.refused, []).append(f"{each.metric}{values}")
    return reasons


def _scaling(axis: Axis, name: str, values: Mapping[str, Any], group: Sequence[RunRecord]) -> Scaling:
    numbers = axis.numbers or ()
    found = [record.metrics[name] for record in group if name in record.metrics]
    first = found[0] if found else None
    scaling = Scaling(
        axis=axis.key,
        metric=name,
        unit=first.unit if first else None,
        better=first.better if first else None,
        values=values,
        baseline=numbers[0],
    )
    by_workers = sorted((numbers[axis.place(values_of(record))], place) for place, record in enumerate(group))
    ordered = [(workers, group[place]) for workers, place in by_workers]
    refused = (
        _why_no_pair(axis, [workers for workers, _record in ordered])
        or _why_no_ratio(found)
        or _why_no_baseline(name, *ordered[0])
    )
    points = [
        Point(record.run_id, workers, refused=refused) if refused else _point(name, ordered[0], workers, record)
        for workers, record in ordered
    ]
    return Scaling(**(vars(scaling) | {"points": points, "refused": refused}))


def _why_no_pair(axis: Axis, workers: Sequence[float]) -> str | None:
    """Return why no two runs can be compared, whatever they measured."""
    if len(axis.values) == 1:
        return f"{axis.key} has one value, and there is nothing to compare it with"
    if len(set(workers)) < len(workers):
        return "several runs have the same values, and which one counts is not known"
    if (axis.numbers or ())[0] not in workers:
        return f"there is no run with the smallest {axis.key}, {(axis.numbers or ())[0]:g}"
    if len(workers) == 1:
        return "there is one run only"
    return None


def _why_no_ratio(found: Sequence[MetricSummary]) -> str | None:
    """Return why a metric has no speed-up, whatever its values are."""
    if not found:
        return "no run has a value"
    if not found[0].better or len({metric.better for metric in found}) > 1:
        return 'the benchmark does not say whether "higher" or "lower" is better'
    if len({metric.unit for metric in found}) > 1:
        return "the runs have different units"
    return None


def _why_no_baseline(name: str, workers: float, record: RunRecord) -> str | None:
    problem = _problem(name, record)
    return f"the run with {workers:g}, to which all others are compared, is {problem}" if problem else None


def _problem(name: str, record: RunRecord) -> str | None:
    """Return what keeps a run from being compared, in words that follow "the run is"."""
    if problem := trouble(record):
        return problem
    if name not in record.metrics:
        return "without a value"
    if record.metrics[name].mean <= 0:
        return f"at {record.metrics[name].mean:g}, and only numbers above 0 have a ratio"
    return None


def _point(name: str, base: tuple[float, RunRecord], workers: float, record: RunRecord) -> Point:
    fewest, first = base
    if record is first:
        return Point(record.run_id, workers, _EXACTLY_ONE, _EXACTLY_ONE)
    if problem := _problem(name, record):
        return Point(record.run_id, workers, refused=problem)
    before, metric = first.metrics[name], record.metrics[name]
    speedup = ratio_of_means(before, metric) if metric.better == "lower" else ratio_of_means(metric, before)
    if not 0 < speedup.value < math.inf:
        return Point(record.run_id, workers, refused="too far from the first one for a number")
    return Point(record.run_id, workers, speedup, speedup.divided_by(workers / fewest))


def _point_as_json(point: Point) -> dict[str, Any]:
    data: dict[str, Any] = {"run_id": point.run_id, "workers": point.workers}
    for name, estimate in (("speedup", point.speedup), ("efficiency", point.efficiency)):
        data |= {name: estimate and estimate.value, f"{name}_ci95": estimate and estimate.ci95}
    return data | {"refused": point.refused}
