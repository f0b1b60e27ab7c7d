"""What a report says beyond the record: samples by series, percentiles, iterations, time by phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from windtunnel.analysis.plots.distribution import Line
from windtunnel.analysis.plots.downsample import Span
from windtunnel.analysis.plots.timeline import phase_spans, seconds_of
from windtunnel.analysis.recover import damages, find_plan, recover
from windtunnel.analysis.statistics import by_series, value_by_iteration
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import UsageSample
from windtunnel.run.record import RunRecord
from windtunnel.run.samples import Samples
from windtunnel.run.store import read_run

PERCENTILES = (50, 90, 95, 99)
MOST_LINES = 6
_FEWEST_DISTINCT = 5


@dataclass
class Iteration:
    """One iteration of one job.

    Attributes:
        step: The job.
        number: Counted from 1, warm-up included.
        warmup: Whether the iteration is warm-up, which does not count.
        started: Seconds since the run began; None if its command was not started.
        seconds: Seconds that its command ran.
        status: What the command exited with; below 0 the signal that ended it; None if it was not seen to end.
        samples: Number of values that its command gave.
        values: The value of each series, reduced as the plan says.
    """

    step: str
    number: int
    warmup: bool = False
    started: float | None = None
    seconds: float | None = None
    status: int | None = None
    samples: int = 0
    values: dict[str, float] = field(default_factory=dict)

    @property
    def is_failed(self) -> bool:
        """Whether its command did not end with status 0."""
        return self.status != 0


@dataclass(frozen=True)
class PhaseTotal:
    """How often a step was in a phase, and for how many seconds: together and at most."""

    step: str
    phase: str
    times: int
    first: float
    total: float
    longest: float


@dataclass(frozen=True)
class Detail:
    """One run, read from its folder once.

    Attributes:
        record: The run's record.
        series: The samples of each series, warm-up included, in the order in which they came.
        values: The value of each series in each iteration, warm-up included.
        usage: All usage samples.
        events: All events.
        damages: A sentence for each thing that the folder should have and has not.
    """

    record: RunRecord
    series: Mapping[str, Samples]
    values: Mapping[str, Mapping[int, float]]
    usage: Sequence[UsageSample]
    events: Sequence[Mapping[str, Any]]
    damages: Sequence[str] = ()

    @property
    def origin(self) -> float:
        """When the run began, in seconds since the epoch."""
        return seconds_of(self.record.started or "1970-01-01T00:00:00Z")

    @cached_property
    def kept(self) -> dict[str, Line]:
        """All kept samples of each series of the record that has some."""
        kept = {name: self._kept_of(name).values for name in self.record.metrics}
        return {name: Line(name, np.array(values)) for name, values in kept.items() if values}

    def _kept_of(self, name: str) -> Samples:
        return self.series.get(name, Samples()).select(lambda kind: not kind.warmup)

    @property
    def measured(self) -> list[Span]:
        """When kept iterations ran, in seconds since the run began."""
        spans = phase_spans(self.record.phases, self.origin)
        return [span for (_step, phase), group in spans.items() if phase == "run" for span in group]

    def iterations_of(self, name: str) -> list[int]:
        """Return the number of the iteration that each value of a metric of the record is of."""
        metric = self.record.metrics[name]
        kept = sorted(set(self._kept_of(name).iterations))
        return kept if len(kept) == metric.n else list(range(1, metric.n + 1))

    def distributions(self) -> dict[str, list[Line]]:
        """Return the lines of each metric for which a distribution says more than its values do.

        A metric with one sample an iteration, or with fewer than 5 distinct values, has none.
        The lines of a metric with labels are called by these.
        """
        groups: dict[str, list[Line]] = {}
        for name, line in self.kept.items():
            base, _, labels = name.partition("{")
            is_rich = len(line.values) > self.record.metrics[name].n
            if is_rich and len(np.unique(line.values)) >= _FEWEST_DISTINCT:
                groups.setdefault(base, []).append(Line(labels.removesuffix("}"), line.values))
        return groups

    def iterations(self) -> list[Iteration]:
        """Return every iteration that began, in order."""
        return self._iterations

    @cached_property
    def _iterations(self) -> list[Iteration]:
        iterations = _iterations(self.events, self.origin)
        for phase in self.record.phases:
            if phase.phase == "run" and (phase.step, phase.iteration) in iterations:
                iterations[phase.step, phase.iteration].seconds = phase.seconds
        for name, group in self.series.items():
            for number, value in self.values[name].items():
                if (group.kinds[0].step, number) in iterations:
                    iterations[group.kinds[0].step, number].values[name] = value
        return list(iterations.values())

    def phase_totals(self) -> list[PhaseTotal]:
        """Return the time that each step spent in each phase."""
        totals = []
        for (step, phase), spans in phase_spans(self.record.phases, self.origin).items():
            lengths = [end - begin for begin, end in spans]
            totals.append(PhaseTotal(step, phase, len(spans), min(spans)[0], sum(lengths), max(lengths)))
        return totals


def load_detail(folder: RunFolder) -> Detail:
    """Return what a run's folder says.

    Raises:
        UsageError: The run has no record.
    """
    record = recover(folder, read_run(folder))
    series = by_series(folder.samples())
    plan, problem = find_plan(folder)
    usage, events = list(_usage(folder)), list(folder.events())
    return Detail(
        record=record,
        series=series,
        values={name: value_by_iteration(group, plan) if plan else {} for name, group in series.items()},
        usage=usage,
        events=events,
        damages=[*problem, *damages(folder)],
    )


def _usage(folder: RunFolder) -> Iterator[UsageSample]:
    for line in folder.lines("usage"):
        try:
            yield UsageSample.from_json(line)
        except ValueError:
            folder.damaged["usage.jsonl"] += 1


def percentiles_of(values: Line) -> list[float]:
    """Return the 50th, 90th, 95th and 99th percentile of a line's values, linear between neighbours.

    Source: Hyndman and Fan (1996), "Sample quantiles in statistical packages", definition 7.
    """
    return [float(value) for value in np.percentile(values.values, PERCENTILES)]


def _iterations(events: Sequence[Mapping[str, Any]], origin: float) -> dict[tuple[str, int | None], Iteration]:
    iterations: dict[tuple[str, int | None], Iteration] = {}
    for event in events:
        if not event["type"].startswith("iteration_") or not event.get("iteration"):
            continue
        step, number, data = event.get("step", ""), event["iteration"], event.get("data", {})
        item = iterations.setdefault((step, number), Iteration(step, number))
        item.warmup = data.get("warmup", item.warmup)
        if event["type"] == "iteration_started":
            item.started = seconds_of(event["time"]) - origin
        elif event["type"] == "iteration_finished":
            item.status, item.samples = data.get("status"), data.get("samples", 0)
            if item.started is not None:
                item.seconds = seconds_of(event["time"]) - origin - item.started
    return iterations
