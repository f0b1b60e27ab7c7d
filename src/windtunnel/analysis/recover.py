"""The result of a run whose driver was killed: what it measured is in its folder."""

from __future__ import annotations

import json

from windtunnel.analysis.failures import find_failures
from windtunnel.analysis.flaws import find_flaws
from windtunnel.analysis.statistics import summarise
from windtunnel.plan import Plan
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import Cause, RunRecord
from windtunnel.run.tally import Tally


def recover(folder: RunFolder, record: RunRecord) -> RunRecord:
    """Return the record of a lost run with what its folder's samples say; others unchanged."""
    if record.status != "lost" or record.metrics:
        return record
    plan = read_plan(folder)
    samples = folder.samples()
    record.metrics = summarise(samples, plan)
    events = list(folder.lines("events"))
    tallies = [Tally.from_event(line) for line in events if line["type"] == "iteration_finished"]
    failures = find_failures(samples, tallies, plan)
    flaws = find_flaws(samples, tallies, record.metrics, failures)
    record.failures = [each.count() for each in failures]
    if any(line["type"] == "iteration_started" for line in events):
        record.validity = "suspect" if record.metrics and not flaws.errors else "invalid"
    record.cause = Cause(code="lost", message="the driver of this run was killed before its end")
    record.reasons = [record.cause.message, *(error.message for error in flaws.errors), *flaws.doubts]
    return record


def read_plan(folder: RunFolder) -> Plan:
    """Return the plan that a run was made from.

    Raises:
        PlanError: It is of another version, or no plan.
    """
    return Plan.from_json(json.loads((folder.path / "plan.json").read_text(encoding="utf-8")))
