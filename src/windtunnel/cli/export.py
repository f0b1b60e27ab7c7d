"""The command that takes what was measured elsewhere: export."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from windtunnel.analysis import report_unavailable
from windtunnel.cli.app import app
from windtunnel.cli.output import print_err, shorten
from windtunnel.cli.results import DEFAULT_STORE, StoreOption
from windtunnel.cli.stored import open_stored, open_sweep, records_of
from windtunnel.errors import UsageError

if TYPE_CHECKING:
    from windtunnel.run.folder import RunFolder

PARQUET = ".parquet"


@app.command(epilog="Examples: windtunnel export --output all.parquet · windtunnel export last > samples.csv")
def export(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...", help="Runs or sweeps, by id or the start of one; all of the store unless said."
        ),
    ] = None,
    store: StoreOption = str(DEFAULT_STORE),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file that ends in .csv or .parquet; else CSV to stdout.")
    ] = None,
) -> None:
    """Write what runs measured as one table, a row a sample, with units and labels."""
    _check(output)
    from windtunnel.analysis.export import table_of, write

    table = table_of(_folders(runs or [], store))
    try:
        write(table, output or sys.stdout)
    except OSError as error:
        if output is None:
            raise
        raise UsageError(f"{output}: {error.strerror or error}") from None
    if output:
        print_err(f"{len(table):,} samples of {table['run_id'].nunique():,} runs: {shorten(output)}")


def _check(output: Path | None) -> None:
    """Check that the table can be written, before anything is read for it (UsageError)."""
    if reason := report_unavailable():
        raise UsageError(f"export: {reason}")
    if output and output.suffix not in {".csv", PARQUET}:
        raise UsageError(f"--output {output}: give it the ending .csv or {PARQUET}")
    if output and output.suffix == PARQUET and find_spec("pyarrow") is None:
        raise UsageError("--output: Parquet needs its extra: pip install 'windtunnel[parquet]'")


def _folders(names: list[str], store: str) -> list[RunFolder]:
    from windtunnel.run.store import find_runs

    if names:
        found = [folder for name in names for folder in open_sweep(name, store) or [open_stored(name, store)]]
        # A run may be given by itself and with its sweep.
        return list({folder.path: folder for folder in found}.values())
    listed = find_runs(records_of(store), lambda error: print_err(error.message, "yellow"))
    return [open_stored(folder.run_id, store) for folder, _head in listed]
