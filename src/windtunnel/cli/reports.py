"""Reports of runs and sweeps as files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from windtunnel.analysis import report_unavailable
from windtunnel.cli.output import echo, print_err, shorten
from windtunnel.errors import UsageError

if TYPE_CHECKING:
    from windtunnel.duel.record import DuelRecord
    from windtunnel.run.folder import RunFolder


def write_report(run: Path, output: Path | None = None, *, err: bool = False) -> None:
    """Write the report of the run in folder `run` and say where it is (`err`: on standard error)."""
    from windtunnel.analysis.report import render
    from windtunnel.run.folder import RunFolder

    path = output or run / "report.html"
    _write(path, render(RunFolder(run), path.parent), err=err)


def write_sweep_report(
    runs: Sequence[RunFolder], output: Path | None = None, workers: Collection[str] = (), *, err: bool = False
) -> None:
    """Write the report of a sweep, beside its runs unless told otherwise, and say where it is."""
    from windtunnel.analysis.sweep_report import render

    sweep = runs[0].read_head().sweep
    # A store's records are not to be trusted with where a file is written.
    name = Path(sweep.id).name if sweep else ""
    path = output or runs[0].path.parent / f"{name}.html"
    _write(path, render(runs, path.parent, workers), err=err)


def write_duel_report(duel: DuelRecord, store: Path, output: Path | None = None, *, err: bool = False) -> None:
    """Write the report of a duel into its folder unless told otherwise, and say where it is."""
    from windtunnel.duel.course import last_judgement
    from windtunnel.duel.report import render

    path = output or store / Path(duel.duel_id).name / "report.html"
    _write(path, render(duel, last_judgement(duel, store), store, path.parent), err=err)


def _write(path: Path, html: str, *, err: bool) -> None:
    try:
        path.write_text(html, encoding="utf-8", errors="replace")
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
