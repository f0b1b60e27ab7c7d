"""Results as a person reads them on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from windtunnel.analysis.formatting import column_number, failed
from windtunnel.cli.output import STATUS_STYLE, VERDICT_STYLE, console, shorten
from windtunnel.cli.scaling import print_scalings
from windtunnel.cli.tables import Column, limit_rows, print_table

if TYPE_CHECKING:
    from windtunnel.run.record import Cause, MetricSummary, RunRecord, Upload


def interval(metric: MetricSummary) -> str:
    """Return the half-width of a metric's confidence interval, absolute and relative."""
    if metric.ci95 is None:
        return "–"
    half = (metric.ci95[1] - metric.ci95[0]) / 2
    relative = f" ({half / abs(metric.mean):.1%})" if metric.mean else ""
    return f"± {column_number(half)}{relative}"


def print_record(record: RunRecord) -> None:
    """Show a run's verdict, its metrics in a table, and where the rest is."""
    out = console()
    out.print(_headline(record))
    for reason in _reasons(record):
        out.print(f"  - {reason}", markup=False)
    if record.metrics:
        _print_metrics(record.metrics)
    for each in record.failures:
        if each.failures:
            out.print(f"{each.step}: {failed(each.requests, each.failures)}", style="yellow", markup=False)
    for left in record.resources.left:
        out.print(f"left behind: {left}", style="red", markup=False)
    out.print(f"run: {shorten(record.path or '')}", markup=False)
    if record.upload:
        _print_upload(record.upload, record.cause)


def _headline(record: RunRecord) -> str:
    """Return the benchmark, how its run ended, and its verdict, as rich's markup."""
    status_style, verdict = STATUS_STYLE.get(record.status, "red"), record.validity or "no result"
    status = f"[{status_style}]{record.status}[/], [{VERDICT_STYLE.get(verdict, 'red')}]{verdict}[/]"
    return f"[bold]{record.benchmark}[/]  {status}  {record.engine} on {record.backend}"


def _reasons(record: RunRecord) -> list[str]:
    """Return the reasons of the verdict, and the cause if they do not tell it."""
    cause = record.cause
    if cause is None or cause.message in " ".join(record.reasons):
        return record.reasons
    return [*record.reasons, cause.message]


def _print_upload(upload: Upload, cause: Cause | None) -> None:
    """Tell where the run is stored, and if it is not, why, unless the cause has told that."""
    out = console()
    out.print(f"{'stored' if upload.complete else 'not all stored'}: {upload.url}", markup=False)
    if upload.error and (cause is None or cause.message != upload.error):
        out.print(f"  - {upload.error}", markup=False)


def _print_metrics(metrics: Mapping[str, MetricSummary]) -> None:
    columns = [Column("metric", is_folded=True), Column("unit")]
    columns += [Column(name, is_right=True) for name in ("n", "mean", "95 % interval", "median", "p90", "p99")]
    most = limit_rows(len(metrics), "more metrics", "--json has them all")
    rows = []
    for name, metric in islice(metrics.items(), most):
        middle = (column_number(value) for value in (metric.median, metric.p90, metric.p99))
        rows.append([name, metric.unit or "", str(metric.n), column_number(metric.mean), interval(metric), *middle])
    print_table(columns, rows)


def sweep_as_json(records: Sequence[RunRecord], workers: Sequence[str] = ()) -> dict[str, Any]:
    """Return a sweep as JSON data, with speed-up and efficiency over the matrix's keys that say how many work at once.

    Raises:
        UsageError: One of `workers` is no such key.
    """
    from windtunnel.analysis.scaling import scalings_of

    sweep = records[0].sweep
    return {
        "sweep_id": sweep and sweep.id,
        "runs": [record.model_dump(mode="json") for record in records],
        "scaling": [scaling.to_json() for scaling in scalings_of(records, workers)],
    }


def print_sweep(records: Sequence[RunRecord], planned: int | None = None, workers: Sequence[str] = ()) -> None:
    """Show a sweep as a table: a row a run, with the matrix's values, its verdict, and the mean of each metric.

    Speed-ups are a table of their own for each key that says how many work at once.

    Raises:
        UsageError: One of `workers` is no such key.
    """
    from windtunnel.analysis.scaling import scalings_of
    from windtunnel.analysis.sweep import in_words

    scalings = scalings_of(records, workers)
    keys = list(records[0].sweep.values) if records[0].sweep else []
    metrics = list(dict.fromkeys(name for record in records for name in record.metrics))
    columns = [Column(key, is_folded=True) for key in keys]
    columns += [Column("verdict", styles=VERDICT_STYLE)]
    columns += [Column(metric, is_right=True, is_folded=True) for metric in metrics]
    rows = []
    for record in records:
        values = record.sweep.values if record.sweep else {}
        means = [column_number(record.metrics[name].mean) if name in record.metrics else "–" for name in metrics]
        rows.append([*(in_words(values[key]) for key in keys), record.validity or "no result", *means])
    count = f"{len(records)} of {planned} runs" if planned else f"{len(records)} run{'s' * (len(records) != 1)}"
    console().print(f"[bold]sweep[/] {records[0].sweep.id if records[0].sweep else ''}: {count}")
    print_table(columns, rows)
    print_scalings(scalings)
