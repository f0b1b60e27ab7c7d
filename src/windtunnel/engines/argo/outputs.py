"""What a run came to, as outputs of the pod that tells it; Argo shows them, and other steps read them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from windtunnel.engines.argo.causes import cause_of
from windtunnel.engines.argo.labels import HEADLINES, OUTPUTS, REPORT, VERDICT
from windtunnel.errors import WindtunnelError
from windtunnel.run.folder import RunFolder
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


def report_file() -> Path:
    """Return where a driver leaves its run's report."""
    return OUTPUTS / f"{REPORT}.html"


def write_report(record: RunRecord, workflow: Mapping[str, Any]) -> None:
    """Leave the report of a run as this pod's output artifact, if Argo has a repository for it.

    What keeps it from being made is printed: the run does not depend on it.
    """
    if not record.path or not keeps_artifacts(workflow):
        return
    from windtunnel.analysis.report import render

    try:
        text = render(RunFolder(Path(record.path)))
    except Exception as error:  # noqa: BLE001 - a bug in the report must not cost the verdict
        sys.stdout.write(f"no report: {error if isinstance(error, WindtunnelError) else type(error).__name__}\n")
        return
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    report_file().write_text(text, encoding="utf-8", errors="replace")


def keeps_artifacts(workflow: Mapping[str, Any]) -> bool:
    """Tell whether Argo has a repository for a workflow's artifacts, as its controller has noted it."""
    found = (workflow.get("status") or {}).get("artifactRepositoryRef") or {}
    # Beside the place, such as `s3`, it says only whether logs are kept there.
    return any(isinstance(place, dict) for place in (found.get("artifactRepository") or {}).values())


def headlines(record: RunRecord) -> str:
    """Return the means of a run's first metrics, in their units, as JSON by metric."""
    first = islice(record.metrics.items(), _MOST)
    return json.dumps({name: {"mean": each.mean, "unit": each.unit, "n": each.n} for name, each in first})


def _write(values: dict[str, str]) -> None:
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (OUTPUTS / name).write_text(value, encoding="utf-8")
