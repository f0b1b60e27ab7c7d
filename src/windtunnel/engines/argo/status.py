"""What a workflow says of its run: which one its driver has begun or refused, and what became of it."""

from __future__ import annotations

import json
from typing import Any

from windtunnel.backends.kubernetes.api import Cluster
from windtunnel.engines.argo.cells import Cell
from windtunnel.engines.argo.labels import BEGUN, EXIT_CODE, RECORD, REFUSED, RUN, STATUS, VALIDITY
from windtunnel.engines.argo.workflow import annotate, annotations_of, change
from windtunnel.errors import Cancelled, PlatformError, TimedOut, UsageError, WindtunnelError
from windtunnel.run.record import RunRecord

_REFUSALS: dict[int, type[WindtunnelError]] = {
    int(kind.exit_code): kind for kind in (UsageError, PlatformError, TimedOut, Cancelled)
}
_MOST = 200_000
"""Bytes of annotations; all of an object's together may be 256 KiB."""
_LONG: tuple[dict[str, Any], ...] = (
    {"phases": []},
    {"metrics": {}, "usage": {}},
    {"labels": {}, "overrides": [], "sweep": None, "driver": {}},
)
"""What may be long in a record, in the order in which it is left out."""
_REASONS = 10
"""How many reasons there are of a record that is still too long."""


def begin(cluster: Cluster, workflow: dict[str, Any], run_id: str, cell: int | None = None) -> None:
    """Note on a workflow which run its driver begins (PlatformError); of a matrix, that of a cell."""
    noted = {_of(BEGUN, cell): _own(workflow, run=run_id), _of(REFUSED, cell): None}
    annotate(cluster, workflow["metadata"]["name"], **noted)


def run_of(workflow: dict[str, Any], cell: int | None = None) -> str | None:
    """Return the id of the run that a workflow's driver has begun, or the driver of a cell, if it has."""
    found = _if_own(workflow, _of(BEGUN, cell))
    return None if found is None else str(found["run"])


def refuse(cluster: Cluster, workflow: dict[str, Any], error: WindtunnelError, cell: int | None = None) -> None:
    """Note on a workflow why its driver begins no run (PlatformError)."""
    words = {"exit_code": int(error.exit_code), "code": error.code, "message": error.message}
    annotate(cluster, workflow["metadata"]["name"], **{_of(REFUSED, cell): _own(workflow, **words)})


def refusal_of(workflow: dict[str, Any], cell: int | None = None) -> WindtunnelError | None:
    """Return why a workflow's driver began no run, if that is so."""
    found = _if_own(workflow, _of(REFUSED, cell))
    if found is None:
        return None
    kind = _REFUSALS.get(found["exit_code"], WindtunnelError)
    return kind(str(found["message"]), code=str(found["code"]))


def stopped_early(workflow: dict[str, Any], cell: int | None = None) -> Cancelled | None:
    """Return that a workflow was stopped before its driver began a run, if that is so."""
    is_stopped = bool((workflow.get("spec") or {}).get("shutdown"))
    return Cancelled("stopped before its run began") if is_stopped and run_of(workflow, cell) is None else None


def write_record(cluster: Cluster, name: str, record: RunRecord) -> None:
    """Write the verdict on a workflow: labels to select by, and the record (PlatformError)."""
    labels = verdict_labels(record.run_id, record.status, record.validity, record.exit_code)
    change(cluster, name, {"metadata": {"labels": labels, "annotations": {RECORD: _short(record)}}})


def write_cell(cluster: Cluster, name: str, record: RunRecord, cell: Cell) -> None:
    """Write the record of a cell on the workflow of a matrix, whose verdict comes when all are over (PlatformError)."""
    annotate(cluster, name, **{_of(RECORD, cell.number): _short(record, _MOST // cell.count)})


def _short(record: RunRecord, most: int = _MOST) -> str:
    """Return a record as JSON without what is too much for an annotation: the run's folder has all of it."""
    text = record.model_dump_json()
    cause = record.cause and record.cause.model_copy(update={"log_tail": []})
    last = {"reasons": record.reasons[:_REASONS], "failures": [], "cause": cause}
    for emptied in (*_LONG, last):
        if len(text.encode()) <= most:
            break
        record = record.model_copy(update=emptied)
        text = record.model_dump_json()
    return text


def write_lost(cluster: Cluster, name: str, run: str | None, status: str, code: int) -> None:
    """Write on a workflow that there is no record of its run, or no run; that of an older one goes (PlatformError)."""
    labels = verdict_labels(run, status, None, code)
    change(cluster, name, {"metadata": {"labels": labels, "annotations": {RECORD: None}}})


def read_record(workflow: dict[str, Any], cell: int | None = None) -> RunRecord | None:
    """Return the record of the run that a workflow's driver has begun, or the driver of a cell, if it is over."""
    text = annotations_of(workflow).get(_of(RECORD, cell))
    record = RunRecord.model_validate(json.loads(text)) if text else None
    return record if record and record.run_id == run_of(workflow, cell) else None


def verdict_labels(run: str | None, status: str, validity: str | None, code: int | None) -> dict[str, str]:
    """Return the labels of a workflow that are a verdict."""
    return {RUN: run or "", STATUS: status, VALIDITY: validity or "", EXIT_CODE: str(code)}


def _of(annotation: str, cell: int | None) -> str:
    """Return the annotation of a cell; of a workflow with one run it has no number."""
    return annotation if cell is None else f"{annotation}-{cell}"


def _own(workflow: dict[str, Any], **values: object) -> str:
    """Return an annotation that can be told from one that was copied from another workflow."""
    return json.dumps({"uid": workflow["metadata"]["uid"], **values})


def _if_own(workflow: dict[str, Any], name: str) -> dict[str, Any] | None:
    found = json.loads(annotations_of(workflow).get(name, "{}"))
    return dict(found) if found.get("uid") == workflow["metadata"]["uid"] else None
