"""The command that sends a run to its store again: upload."""

from __future__ import annotations

from typing import Annotated

import typer

from windtunnel.cli.app import app
from windtunnel.cli.output import print_json, print_record
from windtunnel.cli.results import DEFAULT_STORE, FolderOption, JsonOption, RunArgument
from windtunnel.errors import UsageError

ToOption = Annotated[
    str | None,
    typer.Option("--to", metavar="STORE", help="s3://bucket/prefix; else the store that the run was meant for."),
]


@app.command(epilog="Examples: windtunnel upload last · windtunnel upload last --to s3://results/nightly")
def upload(
    run: RunArgument, to: ToOption = None, store: FolderOption = DEFAULT_STORE, as_json: JsonOption = False
) -> None:
    """Send a run's folder to an S3 store; what is there already is not sent again."""
    from windtunnel.addresses import ObjectAddress, parse_store
    from windtunnel.engines.interrupts import signals_cancel
    from windtunnel.engines.request import require_aws
    from windtunnel.run.control import Control
    from windtunnel.run.store import open_run, read_run

    folder = open_run(run, store)
    record = read_run(folder)
    if record.status == "running":
        raise UsageError(f"{folder.run_id} still goes on; it is stored when it ends")
    meant = record.upload.url.removesuffix(f"/{folder.run_id}") if record.upload else None
    if not (url := to or meant):
        raise UsageError(
            f"{folder.run_id} was kept in its folder alone; say where it is to go: --to s3://bucket/prefix"
        )
    try:
        place = parse_store(url)
    except ValueError as error:
        raise UsageError(f"--to: {error}") from None
    if not isinstance(place, ObjectAddress):
        raise UsageError(f"--to: {url}: only to S3, such as s3://bucket/prefix")
    require_aws(url)
    from windtunnel.run.upload import upload_run

    control = Control(float("inf"))
    with signals_cancel(control):
        upload_run(folder, record, place, control)
    if as_json:
        print_json(record.model_dump(mode="json"))
    else:
        print_record(record)
