"""Commands for what was measured: runs, show, report."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from windtunnel.cli.app import app
from windtunnel.cli.output import (
    STATUS_STYLE,
    VERDICT_STYLE,
    echo,
    print_data,
    print_err,
    print_json,
    print_log_tail,
)
from windtunnel.cli.reports import write_duel_report, write_report, write_sweep_report
from windtunnel.cli.showing import print_record, print_sweep, sweep_as_json
from windtunnel.cli.stored import open_stored, open_sweep, records_of
from windtunnel.cli.tables import Column, limit_rows, print_table
from windtunnel.errors import UsageError

if TYPE_CHECKING:
    from windtunnel.run.folder import RunFolder

RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's id, the start of one, its folder, or last.", show_default=False)
]
MeasuredArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN|SWEEP",
        help="A run's id, the start of one, its folder, or last; or a sweep's id, or the start of one.",
        show_default=False,
    ),
]
WorkersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--workers",
        metavar="KEY",
        help="Of a sweep: this key of the matrix says how many work at once. May be repeated.",
    ),
]
FolderOption = Annotated[Path, typer.Option("--store", help="The folder that keeps runs.")]
StoreOption = Annotated[
    str, typer.Option("--store", metavar="STORE", help="Where runs are kept: a folder, or s3://bucket/prefix.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_STORE = Path("runs")
DUEL = "duel.json"
"""What tells a duel's folder."""


@app.command(epilog="Example: windtunnel runs --json")
def runs(store: StoreOption = str(DEFAULT_STORE), as_json: JsonOption = False) -> None:
    """List the runs in a store, the oldest first."""
    from windtunnel.run.record import Status
    from windtunnel.run.store import find_runs

    listed = list(find_runs(records_of(store), _warn))
    if as_json:
        _print_records(folder for folder, _head in listed)
        return
    if not listed:
        print_err(f"no runs in {store}")
        return
    styles = {status: STATUS_STYLE.get(status, "red") for status in get_args(Status)}
    columns = [Column("run", is_folded=True), Column("started"), Column("status", styles=styles)]
    columns += [Column("verdict", styles={"–": "dim"} | VERDICT_STYLE), Column("exit"), Column("backend")]
    rows = [
        [
            head.run_id or folder.run_id,
            (head.started or "")[:19].replace("T", " "),
            head.status,
            head.validity or "–",
            "–" if head.exit_code is None else str(head.exit_code),
            head.backend,
        ]
        for folder, head in listed[-limit_rows(len(listed), "older runs", "`windtunnel runs | less` has them all") :]
    ]
    print_table(columns, rows)


def _print_records(folders: Iterable[RunFolder]) -> None:
    """Print a list of records as JSON, one at a time: ten thousand of them need not be held."""
    from windtunnel.run.store import read_run

    mark = "["
    for folder in folders:
        try:
            record = read_run(folder)
        except UsageError as error:
            _warn(error)
            continue
        print_data(f"{mark}{json.dumps(record.model_dump(mode='json'))}")
        mark = ","
    print_data("]" if mark == "," else "[]")


def _warn(error: UsageError) -> None:
    print_err(error.message, "yellow")


@app.command(epilog="Example: windtunnel show last")
def show(
    run: MeasuredArgument,
    store: StoreOption = str(DEFAULT_STORE),
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a run's result, also that of a run whose driver was killed, or a sweep's."""
    from windtunnel.analysis.recover import recover
    from windtunnel.run.store import read_run

    if sweep := open_sweep(run, store):
        _show_sweep(sweep, workers or [], as_json=as_json)
        return
    _require_sweep(run, workers)
    folder = open_stored(run, store)
    record = recover(folder, read_run(folder))
    if as_json:
        print_json(record.model_dump(mode="json"))
        return
    print_record(record)
    if record.sweep:
        echo(f"sweep: {record.sweep.id}")
    if record.cause:
        print_log_tail(record.cause.step, record.cause.log_tail)


def _show_sweep(runs: Sequence[RunFolder], workers: Sequence[str], *, as_json: bool) -> None:
    from windtunnel.analysis.sweep import load_records

    records = load_records(runs)
    if as_json:
        print_json(sweep_as_json(records, workers))
    else:
        print_sweep(records, workers=workers)


def _require_sweep(run: str, workers: Sequence[str] | None) -> None:
    if workers:
        raise UsageError(f"--workers: {run} is no sweep")


@app.command(epilog="Example: windtunnel report last")
def report(
    run: MeasuredArgument,
    store: StoreOption = str(DEFAULT_STORE),
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Where to write it; else into the run's folder, or beside those of a sweep."
        ),
    ] = None,
    workers: WorkersOption = None,
) -> None:
    """Write the report of a run, a sweep or a duel: one HTML file with everything in it."""
    if (Path(store) / run / DUEL).is_file():
        from windtunnel.duel.record import read_duel

        write_duel_report(read_duel(run, Path(store)), Path(store), output)
        return
    if sweep := open_sweep(run, store):
        write_sweep_report(sweep, output, workers or [])
        return
    _require_sweep(run, workers)
    write_report(open_stored(run, store).path, output)
