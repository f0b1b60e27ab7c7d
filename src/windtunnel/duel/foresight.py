"""What a duel will be able to see, and how long it takes, from runs of the same benchmark that are stored already."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from windtunnel.analysis.comparison.run_values import compared_metrics, run_values
from windtunnel.analysis.duel.design import Design
from windtunnel.analysis.duel.forecast import forecast
from windtunnel.duel.record import DuelRecord
from windtunnel.plan import Job
from windtunnel.run.record import RunRecord
from windtunnel.run.store import find_runs, read_run

MOST_RUNS, FEWEST_RUNS = 50, 3
"""How many of the last runs are looked at, and how many it takes to say anything."""
_SECONDS = 100


def foresee(record: DuelRecord, store: Path, job: Job) -> list[str]:
    """Return in words what a duel can see at its looks, by gate metric, and how long it may take.

    Args:
        record: The duel, which has not begun.
        store: The folder that keeps runs.
        job: The candidate's job.
    """
    runs, design = _stored(record, store), record.design
    told = [f"looks after {_listed(design.looks)} rounds"]
    if len(runs) < FEWEST_RUNS:
        return [*told, f"what they can show is known beforehand once {FEWEST_RUNS} valid runs are stored"]
    told += list(_detectable(design.to_design(), runs, job))
    seconds = 2 * statistics.fmean(map(_seconds, runs))
    first, most = (_duration(seconds * rounds) for rounds in (design.looks[0], design.rounds))
    return [*told, f"about {first} to the first look, {most} at most"]


def _stored(record: DuelRecord, store: Path) -> list[RunRecord]:
    """Return the last valid runs of the benchmark on this backend; of duels, the baselines' alone."""
    found: list[RunRecord] = []
    for folder, head in reversed(list(find_runs(store))):
        if head.validity == "valid" and head.backend == record.backend:
            run = read_run(folder)
            if run.benchmark == record.benchmark and not (run.duel and run.duel.side == "candidate"):
                found.append(run)
        if len(found) == MOST_RUNS:
            break
    return found


def _detectable(design: Design, runs: Sequence[RunRecord], job: Job) -> Iterator[str]:
    values = [run_values(run, job) for run in runs]
    metrics = compared_metrics([run.metrics for run in runs], job)
    gates = sum(metric.gates for metric in metrics)
    for metric in metrics:
        stored = [each[metric.name] for each in values if metric.name in each]
        if metric.gates and (found := forecast(design, metric, stored, gates)):
            unit = next(run.metrics[metric.name].unit for run in runs if metric.name in run.metrics) or ""
            sizes = (
                f"{100 * size:.1f} %" if found.scale == "ratio" else f"{size:.3g} {unit}".rstrip()
                for size in found.detectable
            )
            yield f"{metric.name}: a change for the worse of {_listed(list(sizes))} is seen there in 4 of 5 duels"


def _seconds(run: RunRecord) -> float:
    began, ended = (datetime.fromisoformat(each) if each else None for each in (run.started, run.finished))
    return (ended - began).total_seconds() if began and ended else 0.0


def _listed(items: Sequence[object]) -> str:
    *others, last = map(str, items)
    return f"{', '.join(others)} and {last}" if others else last


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _SECONDS else f"{seconds / 60:.0f} min"
