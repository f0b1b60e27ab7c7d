"""The result of a run whose driver was killed: what it measured is in its folder."""

from __future__ import annotations

import json

from windtunnel.analysis.statistics import summarise
from windtunnel.plan import Plan
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import Cause, RunRecord
from windtunnel.run.samples import Sample


def recover(folder: RunFolder, record: RunRecord) -> RunRecord:
    """Return the record of a lost run with what its folder's samples say; others unchanged."""
    if record.status != "lost" or record.metrics:
        return record
    plan = read_plan(folder)
    samples = [Sample.from_json(line) for line in folder.lines("samples")]
    record.metrics = summarise(samples, plan)
    has_measured = any(line["type"] == "iteration_started" for line in folder.lines("events"))
    record.validity = ("suspect" if record.metrics else "invalid") if has_measured else None
    record.cause = Cause(code="lost", message="the driver of this run was killed before its end")
    record.reasons = [record.cause.message]
    return record


def read_plan(folder: RunFolder) -> Plan:
    """Return the plan that a run was made from.

    Raises:
        PlanError: It is of another version, or no plan.
    """
    return Plan.from_json(json.loads((folder.path / "plan.json").read_text(encoding="utf-8")))
