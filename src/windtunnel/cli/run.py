"""The command that measures: run."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from windtunnel.backends import BACKENDS
from windtunnel.cli.app import app
from windtunnel.cli.descriptor import FileArgument, RepeatsOption, SetOption, load_sweep, with_repeats
from windtunnel.cli.duel import (
    AgainstOption,
    AllowOption,
    DuelOptions,
    FixedOption,
    MarkdownOption,
    ResumeOption,
    RoundsOption,
    SeedOption,
)
from windtunnel.cli.output import STDOUT, print_err, print_json, print_log_tail, shorten
from windtunnel.cli.reports import require_report, write_report, write_sweep_report
from windtunnel.cli.showing import print_record, print_sweep, sweep_as_json
from windtunnel.cli.stored import open_stored
from windtunnel.engines import RUN_HERE
from windtunnel.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from windtunnel.cli.progress import Progress
    from windtunnel.engines.request import Request
    from windtunnel.run.control import Control
    from windtunnel.run.record import RunRecord


@app.command(
    epilog="Examples: windtunnel run redis.toml --set run.repeats=5 · windtunnel run redis.toml --json | jq .metrics"
)
def run(
    file: FileArgument,
    backend: Annotated[str, typer.Option(help=f"Where steps run: {', '.join(BACKENDS)}.")] = "process",
    engine: Annotated[str, typer.Option(help=f"Who runs them: {', '.join(RUN_HERE)}.")] = "inline",
    overrides: SetOption = None,
    repeats: RepeatsOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="A suspect result is a failure (exit 5).")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Before teardown, wait for Enter or the deadline.")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Write the HTML report of each run, and of a sweep.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
    against: AgainstOption = None,
    rounds: RoundsOption = None,
    fixed: FixedOption = False,
    seed: SeedOption = None,
    resume: ResumeOption = None,
    allow_difference: AllowOption = None,
    markdown: MarkdownOption = None,
) -> None:
    """Measure: start what is needed, run the client, stop it all, keep the numbers."""
    from windtunnel.benchmark import describe_values
    from windtunnel.engines import find_engine

    if report:
        require_report()
    start = find_engine(engine)
    if against is not None:
        options = DuelOptions(
            against, rounds, fixed, seed, resume, tuple(allow_difference or []), strict, as_json, markdown, report
        )
        raise typer.Exit(_duel(options, file, with_repeats(overrides, repeats), backend, engine))
    _refuse_without_baseline(rounds=rounds, fixed=fixed, seed=seed, allow_difference=allow_difference)
    requests, finished = _make_requests(file, with_repeats(overrides, repeats), backend, strict=strict, resume=resume)
    records = []
    for number, request in enumerate(requests, start=1):
        done = finished.get((request.sweep and request.sweep.key) or "")
        if request.sweep:
            print_err(f"run {number} of {len(requests)}: {describe_values(request.sweep.values)}", "bold")
        if done:
            print_err(f"  is finished: {done.run_id}")
        record = done or _run(request, start, keep=keep)
        records.append(record)
        if not done:
            _show(record, as_json=as_json, report=report)
        if record.exit_code == ExitCode.CANCELLED:
            break
    _show_all(records, len(requests), as_json=as_json, report=report)
    if STDOUT.problem:
        for record in records:
            print_err(f"run: {shorten(record.path or '')}")
    raise typer.Exit(next((record.exit_code for record in records if record.exit_code), 0))


def _refuse_without_baseline(**options: object) -> None:
    """Refuse options that are about duels alone, where there is none (UsageError)."""
    for name, value in options.items():
        if value not in {None, False}:
            raise UsageError(f"--{name.replace('_', '-')} goes with --against BASELINE")


def _duel(options: DuelOptions, file: Path, overrides: list[str], backend: str, engine: str) -> int:
    """Run a duel, and return its exit code."""
    from windtunnel.backends import make_backend
    from windtunnel.cli.duel import run_duel
    from windtunnel.duel.sides import file_side, find_baseline
    from windtunnel.engines import find_engine
    from windtunnel.engines.request import make_request

    require_report()
    start = find_engine(engine)
    candidate = file_side(file, overrides)
    store = candidate.loaded.benchmark.output.store
    baseline = find_baseline(options.against, file, overrides, lambda name: open_stored(name, store))
    return run_duel(
        options,
        {"baseline": baseline, "candidate": candidate},
        lambda side: make_request(side.loaded, side.plan, make_backend(backend), store),
        lambda request: _run(request, start, keep=False),
        engine,
    )


def _make_requests(
    file: Path, overrides: list[str], backend: str, *, strict: bool, resume: str | None
) -> tuple[list[Request], dict[str, RunRecord]]:
    """Return what is to be run, all of it checked before the first is started, and what is finished, by its key."""
    from dataclasses import replace

    from windtunnel.backends import make_backend
    from windtunnel.engines.request import make_request
    from windtunnel.engines.sweep_parts import as_sweep, finished_parts
    from windtunnel.run.folder import new_run_id

    loaded = load_sweep(file, overrides)
    requests = [replace(make_request(each, plan, make_backend(backend)), strict=strict) for each, plan in loaded]
    if not loaded[0][0].combination:
        if resume:
            raise UsageError("--resume goes with --against BASELINE, or with a matrix")
        return requests, {}
    sweep_id, finished = finished_parts(resume, requests) if resume else (new_run_id(loaded[0][1].benchmark), {})
    return as_sweep(requests, sweep_id), finished


def _run(request: Request, start: Callable[[Request], RunRecord], *, keep: bool) -> RunRecord:
    from dataclasses import replace

    from windtunnel.cli.progress import Progress
    from windtunnel.run.control import Control

    # Its time begins now, not when the whole sweep was checked.
    control = Control.for_plan(request.plan)
    progress = Progress(request.plan)
    hold = (lambda: _hold(control, progress)) if keep else None
    with progress:
        return start(replace(request, control=control, observers=[progress], hold=hold))


def _show(record: RunRecord, *, as_json: bool, report: bool) -> None:
    if record.cause:
        print_log_tail(record.cause.step, record.cause.log_tail)
    if not as_json:
        print_record(record)
    if report:
        write_report(Path(record.path or ""), err=as_json)


def _show_all(records: Sequence[RunRecord], planned: int, *, as_json: bool, report: bool) -> None:
    """Show the one run as JSON, or a sweep's runs together."""
    from windtunnel.run.folder import RunFolder

    if records[0].sweep is None:
        if as_json:
            print_json(records[0].model_dump(mode="json"))
        return
    if as_json:
        print_json(sweep_as_json(records))
    else:
        print_sweep(records, planned)
    if report:
        write_sweep_report([RunFolder(Path(record.path or "")) for record in records], err=as_json)


def _hold(control: Control, progress: Progress) -> None:
    """Keep what is up until Enter, a signal, the run's deadline, or a failure."""
    progress.pause()
    print_err("kept up; press Enter to end it (the deadline and Ctrl-C end it, too)", "cyan")
    is_open = sys.stdin is not None and not sys.stdin.closed
    while not (control.is_cancelled or control.is_over or control.failure):
        readable, _, _ = select.select([sys.stdin] if is_open else [], [], [], 0.2)
        if readable and sys.stdin.readline():
            return
        is_open = is_open and not readable  # an end of file is nobody's Enter
