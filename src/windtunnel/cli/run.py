"""The command that measures: run."""

from __future__ import annotations

import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from windtunnel.cli.app import app
from windtunnel.cli.author import FileArgument, SetOption, load_with_notes
from windtunnel.cli.output import print_json, print_log_tail, print_record, say
from windtunnel.cli.results import require_report, write_report

if TYPE_CHECKING:
    from windtunnel.cli.progress import Progress
    from windtunnel.run.control import Control
    from windtunnel.run.record import RunRecord


@app.command(
    epilog="Examples: windtunnel run redis.toml --set run.repeats=5 · windtunnel run redis.toml --json | jq .metrics"
)
def run(
    file: FileArgument,
    backend: Annotated[str, typer.Option(help="Where steps run: process, docker, recording.")] = "process",
    engine: Annotated[str, typer.Option(help="Who runs them: inline, prefect.")] = "inline",
    overrides: SetOption = None,
    repeats: Annotated[int | None, typer.Option(min=1, help="Short for --set run.repeats=N.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="A suspect result is a failure (exit 5).")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Before teardown, wait for Enter or the deadline.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Write the run's HTML report at the end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
) -> None:
    """Measure: start what is needed, run the client, stop it all, keep the numbers."""
    if report:
        require_report()
    if repeats is not None:
        overrides = [*(overrides or []), f"run.repeats={repeats}"]
    record = _run(file, backend, engine, overrides, strict=strict, keep=keep)
    if record.cause:
        print_log_tail(record.cause.step, record.cause.log_tail)
    if as_json:
        print_json(record.model_dump(mode="json"))
    else:
        print_record(record)
    if report:
        write_report(Path(record.path or ""), err=as_json)
    raise typer.Exit(record.exit_code or 0)


def _run(
    file: Path, backend_name: str, engine_name: str, overrides: list[str] | None, *, strict: bool, keep: bool
) -> RunRecord:
    from dataclasses import replace

    from windtunnel.cli.progress import Progress
    from windtunnel.engines import find_engine
    from windtunnel.engines.request import make_request

    start = find_engine(engine_name)
    loaded, plan = load_with_notes(file, overrides)
    request = make_request(loaded, plan, backend_name)
    progress = Progress(plan)
    hold = (lambda: _hold(request.control, progress)) if keep else None
    with progress:
        return start(replace(request, observers=[progress], strict=strict, hold=hold))


def _hold(control: Control, progress: Progress) -> None:
    """Keep what is up until Enter, a signal, or the run's deadline."""
    progress.pause()
    say("kept as it is; Enter ends it (or the deadline, or Ctrl-C)", "cyan")
    is_open = sys.stdin is not None and not sys.stdin.closed
    while not control.is_cancelled and not control.is_over:
        readable, _, _ = select.select([sys.stdin] if is_open else [], [], [], 0.2)
        if readable and sys.stdin.readline():
            return
        is_open = is_open and not readable  # an end of file is nobody's Enter
