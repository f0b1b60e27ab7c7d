"""Commands that keep a machine in order: reap, doctor."""

from __future__ import annotations

from typing import Annotated

import typer

from windtunnel.analysis import report_unavailable
from windtunnel.cli.app import app
from windtunnel.cli.output import console, print_err, print_json
from windtunnel.cli.results import DEFAULT_STORE, FolderOption, JsonOption
from windtunnel.errors import ExitCode


@app.command(epilog="Example: windtunnel reap --dry-run")
def reap(
    store: FolderOption = DEFAULT_STORE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """End what runs left behind although driver and warden are gone."""
    from windtunnel.backends.reap import reap_all

    reaped = reap_all(store, dry_run=dry_run)
    if as_json:
        print_json({"found": reaped.found, "left": reaped.left, "unknown": reaped.unknown, "dry_run": dry_run})
    else:
        for name in reaped.found:
            print_err(f"{'would end' if dry_run else 'ended'} {name}")
        for name in reaped.left:
            print_err(f"still there: {name}", "red")
        for problem in reaped.unknown:
            print_err(f"not known: {problem}", "yellow")
        if not reaped.found and not reaped.unknown:
            print_err("nothing was left behind")
    raise typer.Exit(int(ExitCode.LEFT_BEHIND if reaped.left else ExitCode.OK))


@app.command(epilog="Example: windtunnel doctor --json")
def doctor(as_json: JsonOption = False) -> None:
    """Say which engines and backends work here, and a Prefect server and its pools, and why others do not."""
    from rich.markup import escape
    from rich.table import Table

    from windtunnel.backends import BACKENDS, make_backend
    from windtunnel.engines import ENGINES, engine_unavailable, server_rows
    from windtunnel.engines.stores import aws_unavailable
    from windtunnel.secrets import Redaction

    rows = [("backend", name, make_backend(name).available()) for name in BACKENDS]
    rows += [("engine", name, engine_unavailable(name)) for name in ENGINES]
    rows += [row for name in ENGINES for row in server_rows(name)]
    rows += [("extra", "report", report_unavailable()), ("extra", "aws", aws_unavailable())]
    # Daemons and servers are told by their addresses, which may have a password.
    hidden = Redaction()
    rows = [(kind, name, reason and hidden.text(reason)) for kind, name, reason in rows]
    if as_json:
        print_json(
            [{"kind": kind, "name": name, "works": reason is None, "reason": reason} for kind, name, reason in rows]
        )
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for kind, name, reason in rows:
        table.add_row(kind, name, "[green]works[/]" if reason is None else f"[yellow]no[/]: {escape(reason)}")
    console().print(table)
