"""Commands for what was measured: runs, show, report."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from windtunnel.analysis import report_unavailable
from windtunnel.cli.app import app
from windtunnel.cli.output import (
    STATUS_STYLE,
    VERDICT_STYLE,
    echo,
    print_data,
    print_err,
    print_json,
    print_log_tail,
    shorten,
)
from windtunnel.cli.showing import print_record
from windtunnel.cli.tables import Column, limit_rows, print_table
from windtunnel.errors import UsageError

if TYPE_CHECKING:
    from windtunnel.run.folder import RunFolder
    from windtunnel.run.mirror import Mirror

RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's id, the start of one, its folder, or last.", show_default=False)
]
FolderOption = Annotated[Path, typer.Option("--store", help="The folder that keeps runs.")]
StoreOption = Annotated[
    str, typer.Option("--store", metavar="STORE", help="Where runs are kept: a folder, or s3://bucket/prefix.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_STORE = Path("runs")


@app.command(epilog="Example: windtunnel runs --json")
def runs(store: StoreOption = str(DEFAULT_STORE), as_json: JsonOption = False) -> None:
    """List the runs in a store, the oldest first."""
    from windtunnel.run.record import Status
    from windtunnel.run.store import find_runs

    listed = list(find_runs(_records_of(store), _warn))
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
def show(run: RunArgument, store: StoreOption = str(DEFAULT_STORE), as_json: JsonOption = False) -> None:
    """Show a run's result; also that of a run whose driver was killed."""
    from windtunnel.analysis.recover import recover
    from windtunnel.run.store import read_run

    folder = open_stored(run, store)
    record = recover(folder, read_run(folder))
    if as_json:
        print_json(record.model_dump(mode="json"))
        return
    print_record(record)
    if record.cause:
        print_log_tail(record.cause.step, record.cause.log_tail)


@app.command(epilog="Example: windtunnel report last")
def report(
    run: RunArgument,
    store: StoreOption = str(DEFAULT_STORE),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write it; else into the run's folder.")
    ] = None,
) -> None:
    """Write a run's report: one HTML file with everything in it."""
    write_report(open_stored(run, store).path, output)


def _records_of(store: str) -> Path:
    """Return the folder that has the records of a store's runs: the store itself, or a copy of what is elsewhere."""
    mirror = _mirror(store)
    return mirror.records() if mirror else Path(store)


def open_stored(run: str, store: str) -> RunFolder:
    """Return a run of a store, all of it, by its id, the start of one, its folder, or ``last``.

    Raises:
        UsageError: No run, or more than one, is called so; or the store is none.
        PlatformError: The store does not give it.
    """
    from windtunnel.run.store import open_run

    mirror = _mirror(store)
    if not mirror:
        return open_run(run, Path(store))
    folder = open_run(run, mirror.records())
    if folder.path.parent == mirror.folder:
        mirror.complete(folder)
    return folder


def _mirror(store: str) -> Mirror | None:
    from windtunnel.addresses import ObjectAddress, parse_store
    from windtunnel.engines.stores import require_aws

    try:
        address = parse_store(store)
    except ValueError as error:
        raise UsageError(f"--store: {error}") from None
    if isinstance(address, Path):
        return None
    if not isinstance(address, ObjectAddress):
        raise UsageError(
            f"--store: {address}: a volume claim is read by pods that mount it, not from here;"
            " the folder in which the run was made has all of it, too"
        )
    require_aws(str(address))
    from windtunnel.run.mirror import Mirror

    return Mirror(address)


def write_report(run: Path, output: Path | None = None, *, err: bool = False) -> None:
    """Write the report of the run in folder `run` and say where it is (`err`: on standard error)."""
    from windtunnel.analysis.report import render
    from windtunnel.run.folder import RunFolder

    path = output or run / "report.html"
    try:
        path.write_text(render(RunFolder(run), path.parent), encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    (print_err if err else echo)(f"report: {shorten(path)}")


def require_report() -> None:
    """Check that a report can be made, before anything is measured for it.

    Raises:
        UsageError: The ``report`` extra is not installed.
    """
    if reason := report_unavailable():
        raise UsageError(f"--report: {reason}")
