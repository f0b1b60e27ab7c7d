"""The command that puts stored runs side by side: compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from windtunnel.analysis import report_unavailable
from windtunnel.cli.app import app
from windtunnel.cli.output import echo, print_err, print_json
from windtunnel.cli.results import DEFAULT_STORE, JsonOption, StoreOption
from windtunnel.cli.stored import open_stored, open_sweep
from windtunnel.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from windtunnel.analysis.stored_comparison import Comparison
    from windtunnel.run.folder import RunFolder

_SIDE = "runs or sweeps, by id or the start of one, with commas between"
_SHOWN = 8


@app.command(epilog="Example: windtunnel compare redis-20261101,redis-20261102,redis-20261103 last")
def compare(
    baseline: Annotated[str, typer.Argument(help=f"The one side: {_SIDE}.", show_default=False)],
    candidate: Annotated[str, typer.Argument(help=f"The other: {_SIDE}.", show_default=False)],
    store: StoreOption = str(DEFAULT_STORE),
    allow_difference: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="In what they may differ, such as server.command.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="An unknown verdict is a failure (exit 8).")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what stored runs tell of two sides: only runs are compared, never iterations, and only like with like."""
    if reason := report_unavailable():
        raise UsageError(f"compare: {reason}")
    from windtunnel.analysis.stored_comparison import compare_runs

    found = compare_runs(_folders(baseline, store), _folders(candidate, store), allow_difference or [])
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)
    word = found.found.word
    codes = {"worse": ExitCode.WORSE, "unknown": ExitCode.UNKNOWN if strict else ExitCode.OK}
    raise typer.Exit(int(codes.get(word, ExitCode.OK)))


def _folders(names: str, store: str) -> list[RunFolder]:
    """Return the runs of a side (UsageError if one is none)."""
    found = [folder for name in names.split(",") for folder in open_sweep(name, store) or [open_stored(name, store)]]
    return list({folder.path: folder for folder in found}.values())


def _show(found: Comparison) -> None:
    from windtunnel.analysis.comparison.effect import ALPHA
    from windtunnel.analysis.comparison.words import in_words
    from windtunnel.analysis.stored_comparison import DRIFT

    for run, why in found.left_out.items():
        print_err(f"left out: {run}: {why}", "yellow")
    for each in found.differences[:_SHOWN]:
        print_err(f"differs: {each}", "yellow")
    before, after = found.runs
    echo(f"{found.found.word}, {before} run{'s' * (before != 1)} and {after}; {DRIFT}")
    for judged in found.found.metrics:
        echo(f"  {in_words(judged, ALPHA, found.units)}")
