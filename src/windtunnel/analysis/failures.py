"""Failures: how many of how many requests failed, and whether too many of them did."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from windtunnel.analysis.formatting import failed
from windtunnel.analysis.statistics import spec_of
from windtunnel.errors import InvalidResult
from windtunnel.plan import Job, Plan
from windtunnel.run.record import FailureCount
from windtunnel.run.samples import Sample, Samples
from windtunnel.run.tally import Tally

OWN = "metrics"
_COUNTED: Mapping[str, Callable[[Sequence[float]], float]] = {"max": max, "last": lambda values: values[-1]}
"""How many values of an iteration make one count, where the benchmark says so; else they are added up."""
_ALL = 1.0
"""The share of failures that a benchmark which measures failures themselves allows."""


@dataclass(frozen=True)
class Outcome:
    """The requests of one iteration, how many of them failed, and which share that is.

    `requests` has the failed ones too; None: nothing says how many there were.
    """

    requests: float | None
    failures: float

    @property
    def share(self) -> float:
        """The share of failed requests, 0 to 1: 1 too if none came to an end, and if nothing says of how many."""
        if self.requests is None:
            return 1.0 if self.failures else 0.0
        return self.failures / self.requests if self.requests else 1.0

    def __str__(self) -> str:
        """Return requests and failures as a part of a sentence."""
        return failed(self.requests, self.failures)


@dataclass(frozen=True)
class Failures:
    """What one source says of one job's requests, kept iteration by kept iteration.

    Attributes:
        step: The job.
        source: A parser's name, or ``metrics``: the benchmark's own metrics ``failures`` and ``requests``.
        limit: The share of an iteration's requests that may fail.
        outcomes: The outcome of each iteration, by its number.
    """

    step: str
    source: str
    limit: float
    outcomes: Mapping[int, Outcome]

    @property
    def total(self) -> Outcome:
        """The outcome of all kept iterations together."""
        requests = [outcome.requests for outcome in self.outcomes.values()]
        known = [count for count in requests if count is not None]
        failures = sum(outcome.failures for outcome in self.outcomes.values())
        return Outcome(sum(known) if len(known) == len(requests) else None, failures)

    def count(self) -> FailureCount:
        """Return the failures as the record has them."""
        total = self.total
        return FailureCount(step=self.step, source=self.source, requests=total.requests, failures=total.failures)

    def error(self) -> InvalidResult | None:
        """Return the error of a run in which not one request succeeded, unless all of them may fail."""
        total = self.total
        if total.requests is None or total.share < 1 or self.limit >= _ALL:
            return None
        return InvalidResult(f"{self.step}: {total}{self._teller()}", code="all_failed", step=self.step)

    def doubt(self) -> str | None:
        """Return a sentence if too many failed, in all or in one iteration; None if not, or if that is an error."""
        over = {number: outcome for number, outcome in self.outcomes.items() if outcome.share > self.limit}
        if not over or self.limit >= _ALL or self.error():
            return None
        if self.total.share > self.limit:
            excess = str(self.total)
        else:
            worst = max(over, key=lambda number: over[number].share)
            excess = f"{over[worst]} in iteration {worst}"
        return f"{self.step}: {excess}{self._teller()}; run.max_failures allows {self.limit:.4g} of them"

    def _teller(self) -> str:
        return "" if self.source == OWN else f" ({self.source})"


def find_failures(samples: Sequence[Sample], tallies: Sequence[Tally], plan: Plan) -> list[Failures]:
    """Return what is known of each job's requests in kept iterations, whatever metrics the benchmark selects."""
    failures = []
    for job in plan.jobs:
        by_source: dict[str, dict[int, Outcome]] = {}
        for tally in tallies:
            if tally.step == job.name and not tally.warmup:
                for source, attempts in tally.attempts.items():
                    by_source.setdefault(source, {})[tally.iteration] = Outcome(attempts.total, attempts.failed)
        if own := dict(_own(samples, job)):
            by_source[OWN] = own
        failures += [Failures(job.name, source, job.max_failures, outcomes) for source, outcomes in by_source.items()]
    return failures


def _own(samples: Sequence[Sample], job: Job) -> Iterator[tuple[int, Outcome]]:
    """Yield what the benchmark's own metrics say: ``failures``, and ``requests`` in the same unit."""
    failures, requests = (_counts(samples, job, metric) for metric in ("failures", "requests"))
    for (iteration, unit), count in failures.items():
        total = requests.get((iteration, unit))
        yield iteration, Outcome(None if total is None else _whole(max(total, count)), _whole(count))


def _counts(samples: Sequence[Sample], job: Job, metric: str) -> dict[tuple[int, str], float]:
    """Return what a metric that no parser gives comes to in each kept iteration, label sets together, by its unit."""
    spec = spec_of(metric, job.metrics)
    if spec and spec.parser:
        return {}
    values: dict[tuple[int, str], dict[tuple[tuple[str, str], ...], list[float]]] = {}
    for sample in Samples.of(samples).select(lambda kind: (kind.metric, kind.step) == (metric, job.name)):
        if not sample.warmup:
            series = values.setdefault((sample.iteration, sample.unit or "count"), {})
            series.setdefault(tuple(sorted(sample.labels.items())), []).append(sample.value)
    reduce = _COUNTED.get(spec.reduce if spec else "", math.fsum)
    return {key: math.fsum(map(reduce, series.values())) for key, series in values.items()}


def _whole(value: float) -> float:
    return int(value) if value.is_integer() else value
