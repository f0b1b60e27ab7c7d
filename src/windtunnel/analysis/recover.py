"""The result of a run whose driver was killed: what it measured is in its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from windtunnel.analysis.failures import find_failures
from windtunnel.analysis.flaws import Flaws, find_flaws
from windtunnel.analysis.statistics import summarise
from windtunnel.errors import PlanError
from windtunnel.plan import Plan
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import Cause, RunRecord
from windtunnel.run.tally import Tally


def recover(folder: RunFolder, record: RunRecord) -> RunRecord:
    """Return the record of a lost run with what its folder's samples say; others unchanged."""
    if record.status != "lost" or record.metrics:
        return record
    plan, problem = find_plan(folder)
    samples, events = folder.samples(), list(folder.events())
    tallies = list(_tallies(folder, events))
    flaws = Flaws()
    if plan:
        record.metrics = summarise(samples, plan)
        failures = find_failures(samples, tallies, plan)
        flaws = find_flaws(samples, tallies, record.metrics, failures)
        record.failures = [each.count() for each in failures]
    if any(line["type"] == "iteration_started" for line in events):
        record.validity = "suspect" if record.metrics and not flaws.errors else "invalid"
    record.cause = Cause(code="lost", message="the driver of this run was killed before its end")
    record.reasons = [record.cause.message, *(error.message for error in flaws.errors), *flaws.doubts]
    record.reasons += [*problem, *damages(folder)]
    return record


def _tallies(folder: RunFolder, events: Sequence[Mapping[str, Any]]) -> Iterator[Tally]:
    for line in events:
        if line["type"] == "iteration_finished":
            try:
                yield Tally.from_event(line)
            except ValueError:
                folder.damaged["events.jsonl"] += 1


def find_plan(folder: RunFolder) -> tuple[Plan | None, list[str]]:
    """Return the plan that a run was made from, or None and why its measurements cannot be put together without."""
    try:
        text = (folder.path / "plan.json").read_text(encoding="utf-8")
        return Plan.from_json(json.loads(text)), []
    except (OSError, ValueError, PlanError) as error:
        reason = error.message if isinstance(error, PlanError) else getattr(error, "strerror", None) or "it is no JSON"
        return None, [f"what was measured cannot be summarised: plan.json: {reason}"]


def damages(folder: RunFolder) -> list[str]:
    """Return a sentence for each of a run's files of which lines could not be read, as far as it was read."""
    return [
        f"{name}: {count:,} {'lines' if count > 1 else 'line'} cannot be read; this is without"
        for name, count in folder.damaged.items()
    ]
