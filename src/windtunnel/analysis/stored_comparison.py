"""Two groups of stored runs side by side: refused where they are not alike, else what can be said of each metric."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windtunnel.analysis.comparison.run_values import compared_metrics, run_values
from windtunnel.analysis.comparison.stored import StoredComparison, StoredRun, compare_stored
from windtunnel.analysis.differences import Difference, find_differences, refuse_hard
from windtunnel.analysis.recover import find_plan, recover
from windtunnel.errors import UsageError
from windtunnel.plan import Job
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord
from windtunnel.run.store import read_run

DRIFT = "measured at different times: what has drifted in between is in it"


@dataclass(frozen=True)
class Comparison:
    """What two groups of runs come to.

    Attributes:
        runs: How many valid ones each has.
        left_out: The ids of runs that were left out, with why.
        found: What is said of them.
        units: The metrics' units.
        differences: In what they differ that may be compared.
    """

    runs: tuple[int, int]
    left_out: Mapping[str, str]
    found: StoredComparison
    units: Mapping[str, str | None]
    differences: Sequence[Difference]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "schema_version": 1,
            "runs": list(self.runs),
            "left_out": dict(self.left_out),
            "note": DRIFT,
            "differences": [vars(each) for each in self.differences],
            **self.found.to_json(),
            "units": dict(self.units),
        }


def compare_runs(
    baseline: Sequence[RunFolder], candidate: Sequence[RunFolder], allowed: Collection[str] = ()
) -> Comparison:
    """Return what can be said of the candidate's runs beside the baseline's; runs that are not valid are left out.

    Args:
        baseline: The runs of one side.
        candidate: Those of the other.
        allowed: Keys in which they may differ.

    Raises:
        UsageError: A side has no valid run, or they are not alike.
    """
    left_out: dict[str, str] = {}
    sides = [_valid(side, left_out) for side in (baseline, candidate)]
    for name, side in zip(("baseline", "candidate"), sides, strict=True):
        if not side:
            told = "; ".join(f"{run}: {why}" for run, why in left_out.items())
            raise UsageError(f"the {name} has no valid run ({told})")
    differences = _refuse_unlike([run for side in sides for run in side], allowed)
    job = _job(sides[1][0])
    every = [run.metrics for side in sides for run in side]
    stored = [[StoredRun(_session(run), run_values(run, job)) for run in side] for side in sides]
    return Comparison(
        runs=(len(sides[0]), len(sides[1])),
        left_out=left_out,
        found=compare_stored(compared_metrics(every, job), *stored),
        units={name: summary.unit for metrics in every for name, summary in metrics.items()},
        differences=differences,
    )


def _valid(folders: Sequence[RunFolder], left_out: dict[str, str]) -> list[RunRecord]:
    found = []
    for folder in folders:
        record = recover(folder, read_run(folder))
        if record.validity in {"valid", "suspect"} and record.metrics:
            found.append(record)
        else:
            left_out[folder.run_id] = record.validity or record.status
    return found


def _session(run: RunRecord) -> str:
    """Return what a run has in common with others that one command made."""
    return (run.duel and run.duel.id) or (run.sweep and run.sweep.id) or str(run.run_id)


def _job(run: RunRecord) -> Job:
    plan, problem = find_plan(RunFolder(Path(run.path or "")))
    if plan is None:
        raise UsageError(problem[0])
    (job,) = plan.jobs
    return job


def _refuse_unlike(runs: Sequence[RunRecord], allowed: Collection[str]) -> list[Difference]:
    """Return in what runs differ from the first one; refuse what is not allowed (UsageError)."""
    first, *others = (RunFolder(Path(run.path or "")) for run in runs)
    found = {(each.key, each.values): each for other in others for each in find_differences(first, other)}
    differences = sorted(found.values(), key=lambda each: not each.is_hard)
    if unknown := [key for key in allowed if not any(each.is_below(key) for each in differences)]:
        listed = ", ".join(dict.fromkeys(each.key for each in differences)) or "nothing"
        raise UsageError(f"--allow-difference {unknown[0]}: they do not differ in it; they do in: {listed}")
    refuse_hard(differences, allowed, "they are not alike; allow by name what is meant")
    return differences
