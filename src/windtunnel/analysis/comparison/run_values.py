"""What of two sides' runs is compared, as their benchmark says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from windtunnel.analysis.comparison.metric import DEFAULT_SHARE, ComparedMetric, Threshold
from windtunnel.analysis.duel.rounds import run_value
from windtunnel.plan import Job, MetricSpec
from windtunnel.run.record import MetricSummary, RunRecord


def run_values(record: RunRecord, job: Job) -> dict[str, float]:
    """Return what stands for a whole run in a comparison, by metric."""
    return {
        name: run_value(summary.values, _spec(name, job).compare)
        for name, summary in record.metrics.items()
        if summary.values
    }


def compared_metrics(runs: Iterable[Mapping[str, MetricSummary]], job: Job) -> list[ComparedMetric]:
    """Return what is compared, of the metrics that any of the runs has: one that a run lacks is not left out for it.

    The verdict depends on those that have ``gate = true``; if there are none, on those that have a name in the
    benchmark and a direction, and if there are no such either, on all that have a direction.
    """
    metrics = {name: summary.better for run in runs for name, summary in run.items()}
    directed = [name for name, better in metrics.items() if better]
    asked = {name for name in directed if _spec(name, job).gate}
    named = {name for name in directed if _spec(name, job).name and _spec(name, job).gate is None}
    gates = asked or named or {name for name in directed if _spec(name, job).gate is None}
    return [
        ComparedMetric(name, better, gates=name in gates, threshold=_threshold(_spec(name, job)))
        for name, better in metrics.items()
    ]


def _threshold(spec: MetricSpec) -> Threshold:
    return Threshold(spec.share or DEFAULT_SHARE, spec.absolute)


def _spec(series: str, job: Job) -> MetricSpec:
    """Return the table that a series comes from: that of its name, or one without a name, which may give any."""
    specs = {spec.name: spec for spec in job.metrics}
    return specs.get(series.partition("{")[0]) or specs.get(None) or MetricSpec(name=None)
