"""A run's report: one HTML file with everything in it, verdict first."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windtunnel.analysis.page import fact, load_template, read_json, read_text, relative
from windtunnel.analysis.placement import placements
from windtunnel.analysis.sweep import describe
from windtunnel.run.folder import RunFolder
from windtunnel.run.system_calls import load_traces

if TYPE_CHECKING:
    from windtunnel.analysis.detail import Detail
    from windtunnel.run.record import RunRecord

_MOST_ROWS = 200
_MOST_ITERATIONS = 1200
_MOST_COLUMNS = 12
_MOST_ARTIFACTS = 200
_MOST_NOTES = 100
_MOST_REMARKED = 24
_MOST_CALLS = 15


def render(folder: RunFolder, at: Path | None = None) -> str:
    """Return the report of a run as HTML that needs no other file.

    Args:
        folder: The run.
        at: The folder in which the report will lie, if not the run's: links to logs and artifacts start there.

    Raises:
        UsageError: The run has no record, or the ``report`` extra is not installed.
    """
    template = load_template("report.html.j2")
    from windtunnel.analysis.detail import load_detail

    detail = load_detail(folder)
    return template.render(
        base="" if at is None else relative(folder.path, at),
        damages=detail.damages,
        **_facts(folder, detail.record),
        **_metrics(detail),
        **_plots(folder, detail),
        **_iterations(detail),
        **_notes(detail),
        **_files(folder, detail),
    )


def _facts(folder: RunFolder, record: RunRecord) -> dict[str, Any]:
    """Return what was run, and where."""
    host = read_json(folder, "environment.json")
    return {
        "record": record,
        "run_facts": _run_facts(record),
        "host_facts": [(key.replace("_", " "), fact(key, value)) for key, value in host.items() if key != "gangs"],
        "placements": placements(host),
        "benchmark": read_text(folder, "benchmark.toml"),
    }


def _metrics(detail: Detail) -> dict[str, Any]:
    """Return the tables of metrics: percentiles and extremes of the first ones."""
    from windtunnel.analysis.detail import PERCENTILES, percentiles_of
    from windtunnel.analysis.series.remarks import remarks_on

    shown = dict(islice(detail.kept.items(), _MOST_ROWS))
    remarked = islice(detail.record.metrics.items(), _MOST_REMARKED)
    return {
        "most_rows": _MOST_ROWS,
        "remarks": [(name, each.message) for name, metric in remarked for each in remarks_on(metric.values)],
        "percentile_names": PERCENTILES,
        "percentiles": {name: percentiles_of(line) for name, line in shown.items()},
        "extremes": {name: (line.values.min(), line.values.max()) for name, line in shown.items()},
    }


def _plots(folder: RunFolder, detail: Detail) -> dict[str, Any]:
    """Return the plots, the phases' times, and the system calls of traced steps."""
    from windtunnel.analysis import figures

    return {
        "figures": figures.figures_of(detail),
        "phases": detail.phase_totals(),
        "traces": load_traces(folder),
        "most_calls": _MOST_CALLS,
    }


def _iterations(detail: Detail) -> dict[str, Any]:
    """Return the iterations to show: of very many, the first and the last ones."""
    iterations = detail.iterations()
    half = _MOST_ITERATIONS // 2
    columns = list(detail.record.metrics) or list(detail.series)
    return {
        "iterations": iterations if len(iterations) <= _MOST_ITERATIONS else iterations[:half] + iterations[-half:],
        "iterations_left_out": max(0, len(iterations) - _MOST_ITERATIONS),
        "iterations_warmup": sum(item.warmup for item in iterations),
        "iterations_failed": sum(item.is_failed for item in iterations),
        "iteration_jobs": len({item.step for item in iterations}),
        "columns": columns[:_MOST_COLUMNS],
        "columns_left_out": max(0, len(columns) - _MOST_COLUMNS),
    }


def _notes(detail: Detail) -> dict[str, Any]:
    notes = [event for event in detail.events if event["type"] == "note"]
    return {"notes": notes[:_MOST_NOTES], "notes_left_out": max(0, len(notes) - _MOST_NOTES)}


def _files(folder: RunFolder, detail: Detail) -> dict[str, Any]:
    """Return the logs' ends and the artifacts' paths with sizes."""
    from windtunnel.analysis.logs import last_lines

    logs, left_out = last_lines(folder.path, detail.iterations(), detail.record.cause)
    artifacts = sorted(path for path in folder.path.glob("artifacts/**/*") if path.is_file())
    return {
        "logs": logs,
        "logs_left_out": left_out,
        "artifacts": [
            (os.fsencode(path.relative_to(folder.path)).decode(errors="replace"), path.stat().st_size)
            for path in artifacts[:_MOST_ARTIFACTS]
        ],
        "artifacts_left_out": max(0, len(artifacts) - _MOST_ARTIFACTS),
    }


def _run_facts(record: RunRecord) -> list[tuple[str, str | None]]:
    resources, sweep = record.resources, record.sweep
    return [
        ("id", record.run_id),
        ("sweep", f"{sweep.id}: {describe(sweep.values)}" if sweep else None),
        ("strategy", record.strategy),
        ("engine", record.engine),
        ("backend", record.backend),
        ("started", record.started),
        ("finished", record.finished),
        ("overrides", ", ".join(record.overrides)),
        ("labels", ", ".join(f"{key} = {value}" for key, value in record.labels.items())),
        ("resources", f"{resources.created} made, {resources.gone} of them gone again" if resources.created else None),
    ]
