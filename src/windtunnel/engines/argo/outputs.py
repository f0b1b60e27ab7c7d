"""What a run came to, as output parameters of the pod that tells it; Argo shows them, and other steps read them."""

from __future__ import annotations

import json
from itertools import islice

from windtunnel.engines.argo.causes import cause_of
from windtunnel.engines.argo.labels import HEADLINES, OUTPUTS, VERDICT
from windtunnel.run.record import RunRecord

_MOST = 20
"""Metrics in the headlines: a workflow has to fit into one object of the API, with all of its parts."""


def write_verdict(run: str | None, status: str, validity: str | None, exit_code: int, cause: str) -> None:
    """Leave a verdict as this pod's output parameters."""
    values = (run or "", status, validity or "", str(exit_code), cause)
    _write(dict(zip(VERDICT, values, strict=True)))


def write_told(record: RunRecord) -> None:
    """Leave the verdict of a run that is over, and its headline numbers, as this pod's output parameters."""
    write_verdict(record.run_id, record.status, record.validity, record.exit_code or 0, cause_of(record))
    _write({HEADLINES: headlines(record)})


def headlines(record: RunRecord) -> str:
    """Return the means of a run's first metrics, in their units, as JSON by metric."""
    first = islice(record.metrics.items(), _MOST)
    return json.dumps({name: {"mean": each.mean, "unit": each.unit, "n": each.n} for name, each in first})


def _write(values: dict[str, str]) -> None:
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (OUTPUTS / name).write_text(value, encoding="utf-8")
