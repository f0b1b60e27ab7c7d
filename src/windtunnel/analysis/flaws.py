"""Flaws: what is wrong with the measurements themselves, whatever the machine did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from windtunnel.analysis.failures import Failures
from windtunnel.analysis.statistics import by_series
from windtunnel.errors import InvalidResult
from windtunnel.run.extraction import METRICS_FILE
from windtunnel.run.record import MetricSummary
from windtunnel.run.samples import Sample, Samples
from windtunnel.run.tally import Tally

MINIMUM_ITERATIONS = 3
"""With two iterations any interval is wide, which is told anyway."""
_UNSTEADY = ("failures", "failures_per_second", "skipped")
_EXTREMES = ("_max", "_min", "_stdev")


@dataclass(frozen=True)
class Flaws:
    """What makes a result invalid, and what makes it suspect, the worst first."""

    errors: Sequence[InvalidResult] = ()
    doubts: Sequence[str] = ()


def find_flaws(
    samples: Sequence[Sample],
    tallies: Sequence[Tally],
    metrics: Mapping[str, MetricSummary],
    failures: Sequence[Failures],
    told: Sequence[str] = (),
) -> Flaws:
    """Return what is wrong with what kept iterations measured; `told` are doubts that came up while the run went on."""
    kept = [tally for tally in tallies if not tally.warmup]
    mixed = list(_mixed_units(Samples.of(samples).select(lambda kind: not kind.warmup)))
    errors = [error for each in failures if (error := each.error())]
    errors += [InvalidResult(sentence, code="mixed_units", step=step) for step, sentence, is_sure in mixed if is_sure]
    errors += _two_sources(kept)
    doubts = [doubt for each in failures if (doubt := each.doubt())]
    doubts += [sentence for _step, sentence, is_sure in mixed if not is_sure]
    return Flaws(errors, [*told, *doubts, *_unread(kept), *_wide(metrics)])


def _mixed_units(samples: Samples) -> Iterator[tuple[str, str, bool]]:
    """Yield the step and a sentence for each series in several units, and whether all of them are told."""
    units: dict[str, set[str | None]] = {}
    for kind in samples.kinds:
        units.setdefault(kind.metric, set()).add(kind.unit)
    mixed = samples.select(lambda kind: len(units[kind.metric]) > 1)
    for name, group in by_series(mixed).items():
        distinct = list(dict.fromkeys(kind.unit for kind in group.kinds))
        if len(distinct) > 1:
            listed = " and partly ".join(f"in {unit}" if unit else "without a unit" for unit in distinct)
            yield group.kinds[0].step, f"{name} is partly {listed}", None not in distinct or len(distinct) > 2  # noqa: PLR2004


def _two_sources(tallies: Sequence[Tally]) -> Iterator[InvalidResult]:
    for metric, (source, step) in {
        metric: (source, tally.step) for tally in tallies for metric, source in tally.clashes.items()
    }.items():
        yield InvalidResult(
            f"{metric} has two sources, {source} and {METRICS_FILE}: give one of them another name",
            code="two_sources",
            step=step,
        )


def _unread(tallies: Sequence[Tally]) -> Iterator[str]:
    unread, read = Counter[str](), Counter[str]()
    for tally in tallies:
        unread.update(tally.unread)
        read.update(tally.read)
    for source, count in unread.items():
        kind = "lines" if source == METRICS_FILE else "values"
        yield f"{count:,} of {count + read[source]:,} {kind} of {source} could not be read"


def _wide(metrics: Mapping[str, MetricSummary]) -> Iterator[str]:
    """Yield a sentence for each metric whose interval, ± so much, is wider than its mean.

    Left out are metrics that may be about zero by nature (not all values have one sign), and those that differ
    from iteration to iteration by nature: counts of rare events, and extremes.
    """
    for name, metric in metrics.items():
        base = name.partition("{")[0]
        if metric.ci95 is None or metric.n < MINIMUM_ITERATIONS or base in _UNSTEADY or base.endswith(_EXTREMES):
            continue
        half = (metric.ci95[1] - metric.ci95[0]) / 2
        if min(metric.values) * max(metric.values) > 0 and half > abs(metric.mean):
            share = half / abs(metric.mean)
            yield f"{name}: the mean is known to ± {share:.0%} only; more iterations (run.repeats) would narrow it"
