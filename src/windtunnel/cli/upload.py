"""The command that sends a run to its store again: upload."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from windtunnel.cli.app import app
from windtunnel.cli.output import print_err, print_json
from windtunnel.cli.results import DEFAULT_STORE, FolderOption, JsonOption, RunArgument
from windtunnel.cli.showing import print_record
from windtunnel.errors import ExitCode, UsageError

ToOption = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="STORE",
        help="s3://bucket/prefix or pvc://claim/path; else the store that the run was meant for.",
    ),
]


@app.command(epilog="Examples: windtunnel upload last · windtunnel upload last --to s3://results/nightly")
def upload(
    run: RunArgument, to: ToOption = None, store: FolderOption = DEFAULT_STORE, as_json: JsonOption = False
) -> None:
    """Send a run's folder to an S3 store or a volume claim; what is there already is not sent again."""
    from windtunnel.addresses import parse_store
    from windtunnel.engines.interrupts import signals_cancel
    from windtunnel.engines.stores import open_upload, require_store
    from windtunnel.run.control import Control
    from windtunnel.run.store import open_run, read_run
    from windtunnel.run.upload import upload_run

    folder = open_run(run, store)
    record = read_run(folder)
    if record.status == "running":
        raise UsageError(f"{folder.run_id} is still running; it is stored when it ends")
    meant = record.upload.url.removesuffix(f"/{folder.run_id}") if record.upload else None
    if not (url := to or meant):
        raise UsageError(f"{folder.run_id} has no store; say where to send it, such as --to s3://bucket/prefix")
    try:
        address = parse_store(url)
    except ValueError as error:
        raise UsageError(f"--to: {error}") from None
    if isinstance(address, Path):
        raise UsageError(f"--to: {url}: only to S3 or a volume claim, such as s3://bucket/prefix or pvc://claim/path")
    require_store(address)
    control = Control(float("inf"))
    with signals_cancel(control):
        sender = open_upload(folder, address, control)
        try:
            upload_run(folder, record, sender, control)
        finally:
            left = sender.close()
    if as_json:
        print_json(record.model_dump(mode="json"))
    else:
        print_record(record)
    if left:
        print_err(f"still there: {', '.join(left)}", "red")
        raise typer.Exit(ExitCode.LEFT_BEHIND)
