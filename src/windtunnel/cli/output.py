"""What commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windtunnel.analysis.words import failed
from windtunnel.errors import WindtunnelError

if TYPE_CHECKING:
    from rich.console import Console

    from windtunnel.run.record import MetricSummary, RunRecord

VERDICT_STYLE = {"valid": "green", "suspect": "yellow", "invalid": "red"}
PIPED_WIDTH = 160
STATUS_STYLE = {"succeeded": "green", "running": "cyan"}


@cache
def console(*, stderr: bool = False) -> Console:
    """Return the console of standard output or error; plain text when it is piped."""
    from rich.console import Console

    class Tolerant(Console):
        def on_broken_pipe(self) -> None:
            """Go on without a reader; rich would end the process, and a measurement with it."""
            self.quiet = True
            if not self.stderr:
                _close_stdout()

    made = Tolerant(stderr=stderr, highlight=False, soft_wrap=True, emoji=False)
    if not made.is_terminal:
        made.width = PIPED_WIDTH
    return made


def say(text: str, style: str | None = None) -> None:
    """Tell a person something, on standard error."""
    console(stderr=True).print(text, style=style, markup=False)


def print_error(error: WindtunnelError) -> None:
    """Tell what went wrong, with the step's last lines if there are any."""
    err = console(stderr=True)
    err.print("[bold red]error:[/] ", end="")
    err.print(error.message, markup=False)
    print_log_tail(error.step, error.log_tail)


def print_log_tail(step: str | None, lines: Sequence[str]) -> None:
    """Show a step's last lines, on standard error."""
    if lines:
        say(f"last lines of {step}:" if step else "last lines:", style="dim")
        for line in lines:
            say(f"  | {line}", style="dim")


def echo(text: str) -> None:
    """Print a line on standard output; a reader that went away (head, less) is no failure."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _close_stdout()


def _close_stdout() -> None:
    # What is still buffered would fail again when Python ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_json(data: Any) -> None:
    """Print data for a machine, on standard output."""
    echo(json.dumps(data, indent=2))


def shorten(path: str | Path) -> str:
    """Return a path as a person would type it: relative, if it is below the current folder."""
    with contextlib.suppress(ValueError):
        return str(Path(path).absolute().relative_to(Path.cwd()))
    return str(path)


def number(value: float | None) -> str:
    """Return a number with four significant digits, as a table shows it."""
    if value is None:
        return "–"
    magnitude = abs(value)
    if magnitude != 0 and (magnitude >= 1e7 or magnitude < 1e-3):  # noqa: PLR2004 - where digits stop helping
        return f"{value:.3e}"
    digits = 0 if magnitude >= 1000 else 1 if magnitude >= 100 else 2 if magnitude >= 10 else 3  # noqa: PLR2004
    return f"{value:,.{digits}f}"


def interval(metric: MetricSummary) -> str:
    """Return the half-width of a metric's confidence interval, absolute and relative."""
    if metric.ci95 is None:
        return "–"
    half = (metric.ci95[1] - metric.ci95[0]) / 2
    relative = f" ({half / abs(metric.mean):.1%})" if metric.mean else ""
    return f"± {number(half)}{relative}"


def print_record(record: RunRecord) -> None:
    """Show a run's verdict, its metrics in a table, and where the rest is."""
    from rich.markup import escape
    from rich.table import Table

    out = console()
    style = STATUS_STYLE.get(record.status, "red")
    verdict = record.validity or "no result"
    out.print(
        f"[bold]{record.benchmark}[/]  [{style}]{record.status}[/], "
        f"[{VERDICT_STYLE.get(verdict, 'red')}]{verdict}[/]  {record.engine} on {record.backend}"
    )
    for reason in record.reasons:
        out.print(f"  - {reason}", markup=False)
    if record.cause and record.cause.message not in " ".join(record.reasons):
        out.print(f"  - {record.cause.message}", markup=False)
    if record.metrics:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("metric", overflow="fold")
        for column in ("unit", "n", "mean", "95 % interval", "median", "p90", "p99"):
            table.add_column(column, justify="left" if column == "unit" else "right", no_wrap=True)
        for name, metric in record.metrics.items():
            middle = (number(v) for v in (metric.median, metric.p90, metric.p99))
            table.add_row(
                escape(name), escape(metric.unit or ""), str(metric.n), number(metric.mean), interval(metric), *middle
            )
        out.print(table, soft_wrap=False)
    for each in [each for each in record.failures if each.failures]:
        out.print(f"{each.step}: {failed(each.requests, each.failures)}", style="yellow", markup=False)
    for left in record.resources.left:
        out.print(f"left behind: {left}", style="red", markup=False)
    out.print(f"run: {shorten(record.path or '')}", markup=False)
    if record.upload:
        out.print(f"{'stored' if record.upload.complete else 'not all stored'}: {record.upload.url}", markup=False)
        if record.upload.error and not (record.cause and record.cause.message == record.upload.error):
            out.print(f"  - {record.upload.error}", markup=False)


def print_sweep(records: Sequence[RunRecord], planned: int) -> None:
    """Show a sweep as a table: a row a run, with the matrix's values, its verdict, and the mean of each metric."""
    from rich.markup import escape
    from rich.table import Table

    keys = list(records[0].sweep.values) if records[0].sweep else []
    metrics = list(dict.fromkeys(name for record in records for name in record.metrics))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in (*keys, "verdict", *metrics):
        table.add_column(escape(column), overflow="fold", justify="right" if column in metrics else "left")
    for record in records:
        verdict = record.validity or "no result"
        values = record.sweep.values if record.sweep else {}
        means = [number(record.metrics[name].mean) if name in record.metrics else "–" for name in metrics]
        shown = [escape(str(values[key])) for key in keys]
        table.add_row(*shown, f"[{VERDICT_STYLE.get(verdict, 'red')}]{verdict}[/]", *means)
    out = console()
    out.print(f"[bold]sweep[/] {records[0].sweep.id if records[0].sweep else ''}: {len(records)} of {planned} runs")
    out.print(table, soft_wrap=False)
