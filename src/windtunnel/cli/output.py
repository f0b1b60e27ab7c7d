"""What commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import traceback
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windtunnel.analysis.words import failed
from windtunnel.errors import WindtunnelError
from windtunnel.printable import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from windtunnel.run.record import MetricSummary, RunRecord

VERDICT_STYLE = {"valid": "green", "suspect": "yellow", "invalid": "red"}
PIPED_WIDTH = 160
STATUS_STYLE = {"succeeded": "green", "running": "cyan"}


class Stdout:
    """What became of standard output. A command goes on without it, and `main` tells at the end.

    Attributes:
        is_used: Whether something was printed there.
        problem: Why it cannot be written, if so; a reader that went away (head, less) is no problem.
    """

    def __init__(self) -> None:
        self.is_used = False
        self.problem: str | None = None

    def open(self) -> None:
        """Begin a command: take the places of standard streams that are closed, so that no file of a run gets them."""
        self.is_used, self.problem = False, None
        for number in range(3):
            try:
                os.fstat(number)
            except OSError:
                # Nothing can be written to 1, which is what its reader has to be told.
                os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)  # noqa: PLR2004 - standard error
        sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
        sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")

    def lose(self, error: OSError) -> None:
        """Go on without it."""
        if not isinstance(error, BrokenPipeError):
            self.problem = "it is closed" if error.errno == errno.EBADF else error.strerror or str(error)
        # What is still buffered would fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


STDOUT = Stdout()


@cache
def console(*, stderr: bool = False) -> Console:
    """Return the console of standard output or error; plain text when it is piped."""
    from rich.console import Console

    class Tolerant(Console):
        def on_broken_pipe(self) -> None:
            """Go on without a reader; rich would end the process, and a measurement with it."""
            self._lose(BrokenPipeError())

        def print(self, *objects: Any, **options: Any) -> None:
            """Print, or go on without a file that takes no more."""
            STDOUT.is_used = STDOUT.is_used or not self.stderr
            try:
                super().print(*objects, **options)
            except OSError as error:
                self._lose(error)

        def render_str(self, text: str, **options: Any) -> Text:
            """Return what is shown of a text, which may be another program's: nothing that acts on the terminal."""
            return super().render_str(printable(text), **options)

        def _lose(self, error: OSError) -> None:
            self.quiet = True
            if not self.stderr:
                STDOUT.lose(error)

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


def print_traceback() -> None:
    """Show where the exception that is being handled comes from."""
    say(traceback.format_exc().rstrip())


def print_log_tail(step: str | None, lines: Sequence[str]) -> None:
    """Show a step's last lines, on standard error."""
    if lines:
        say(f"last lines of {step}:" if step else "last lines:", style="dim")
        for line in lines:
            say(f"  | {line}", style="dim")


def echo(text: str) -> None:
    """Print lines for a person, on standard output."""
    print_data(printable(text))


def print_data(text: str) -> None:
    """Print text for a machine as it is, on standard output."""
    STDOUT.is_used = True
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError as error:
        STDOUT.lose(error)


def print_json(data: Any) -> None:
    """Print data for a machine, on standard output."""
    print_data(json.dumps(data, indent=2))


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
