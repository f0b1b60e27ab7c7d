"""From samples to a metric's summary."""

from __future__ import annotations

import json
import math
import statistics
from array import array
from collections.abc import Callable, Mapping, Sequence

from windtunnel.analysis.student import quantile_975
from windtunnel.parsers import PARSERS
from windtunnel.plan import Job, MetricSpec, Plan
from windtunnel.run.record import MetricSummary
from windtunnel.run.samples import Kind, Sample, Samples

_MARKS = frozenset('{}=,"\\')
_REDUCE: Mapping[str, Callable[[Sequence[float]], float]] = {
    "median": statistics.median,
    "mean": statistics.fmean,
    "max": max,
    "sum": math.fsum,
    "last": lambda values: values[-1],
}


def summarise(samples: Sequence[Sample], plan: Plan) -> dict[str, MetricSummary]:
    """Return each metric's summary over the kept iterations; the order is that of the samples.

    A metric whose samples differ in labels is one series for each: ``name{test=GET}``.
    """
    series = by_series(Samples.of(samples).select(lambda kind: not kind.warmup))
    return {name: _summary(group, _specs(plan, group.kinds[0].step)) for name, group in series.items()}


def by_series(samples: Sequence[Sample]) -> dict[str, Samples]:
    """Return samples by the series that they belong to, warm-up included, in the order given.

    A metric has more than one series if its kept samples differ in labels.
    """
    samples = Samples.of(samples)
    variants: dict[str, set[tuple[tuple[str, str], ...]]] = {}
    for kind in [kind for kind in samples.kinds if not kind.warmup] or samples.kinds:
        variants.setdefault(kind.metric, set()).add(kind.label_set)

    def name_of(kind: Kind) -> str:
        if len(variants.get(kind.metric, ())) > 1:
            labels = ",".join(f"{_quoted(key)}={_quoted(value)}" for key, value in kind.label_set)
            return f"{kind.metric}{{{labels}}}"
        base, brace, _rest = kind.metric.partition("{")
        # It may look like a series of another metric.
        return json.dumps(kind.metric) if brace and base in variants else kind.metric

    return samples.split(name_of)


def _quoted(text: str) -> str:
    """Return a label's name or value as it is, or in quotes where it could be taken for more than one."""
    is_plain = text.isprintable() and not _MARKS & set(text)
    return text if is_plain else json.dumps(text).replace("\x7f", "\\u007f")


def value_by_iteration(samples: Samples, plan: Plan) -> dict[int, float]:
    """Return the one value that the samples of a series come to in each iteration, reduced as the plan says."""
    kind = samples.kinds[0]
    return _reduced(samples, spec_of(kind.metric, _specs(plan, kind.step)))


def _specs(plan: Plan, step: str) -> tuple[MetricSpec, ...]:
    job = plan.step(step)
    return job.metrics if isinstance(job, Job) else ()


def confidence_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean by Student's t, or None below two values.

    Source: Student (1908), "The probable error of a mean"; n - 1 degrees of freedom.
    """
    if len(values) < 2:  # noqa: PLR2004 - one value has no spread
        return None
    mean = statistics.fmean(values)
    half = quantile_975(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return mean - half, mean + half


def percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return p50, p90 and p99, interpolated linearly (type 7 of Hyndman and Fan, 1996)."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[89], cuts[98]


def _summary(samples: Samples, specs: Sequence[MetricSpec]) -> MetricSummary:
    first = samples.kinds[0]
    spec = spec_of(first.metric, specs)
    values = list(_reduced(samples, spec).values())
    p50, p90, p99 = percentiles(samples.values)
    return MetricSummary(
        unit=first.unit or (spec.unit if spec else None),
        better=_better(first.metric, spec),
        n=len(values),
        mean=statistics.fmean(values),
        median=statistics.median(values),
        stdev=statistics.stdev(values) if len(values) > 1 else None,
        ci95=confidence_interval(values),
        p50=p50,
        p90=p90,
        p99=p99,
        values=values,
        samples=len(samples),
    )


def spec_of(metric: str, specs: Sequence[MetricSpec]) -> MetricSpec | None:
    """Return what the benchmark says of a metric: by its name, else by the parser that gives it."""
    spec = next((spec for spec in specs if spec.name == metric), None)
    return spec or next((s for s in specs if s.parser and not s.name and metric in PARSERS[s.parser].metrics), None)


def _reduced(samples: Samples, spec: MetricSpec | None) -> dict[int, float]:
    by_iteration: dict[int, array[float]] = {}
    for iteration, value in zip(samples.iterations, samples.values, strict=True):
        by_iteration.setdefault(iteration, array("d")).append(value)
    reduce = _REDUCE[spec.reduce if spec else "median"]
    return {iteration: reduce(values) for iteration, values in sorted(by_iteration.items())}


def _better(metric: str, spec: MetricSpec | None) -> str | None:
    if spec and spec.name and (spec.better or not spec.parser):
        return spec.better
    known = PARSERS[spec.parser].metrics.get(metric) if spec and spec.parser else None
    return known.better if known else None
