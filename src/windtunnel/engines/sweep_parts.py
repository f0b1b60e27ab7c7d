"""The runs of a sweep by what determines them: one that was finished is not measured again when the sweep goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from windtunnel.engines.request import Request
from windtunnel.errors import ExitCode, UsageError
from windtunnel.plan import Plan
from windtunnel.run.record import RunRecord, SweepPart
from windtunnel.run.store import find_sweep, read_run

_AGAIN = {None, ExitCode.PLATFORM, ExitCode.CANCELLED, ExitCode.BUG}
"""How runs end that are tried again: for what is not the benchmark's doing."""
_NO_MATTER = ("labels", "timeout", "target")


def as_sweep(requests: Sequence[Request], sweep_id: str) -> list[Request]:
    """Return the requests of a matrix as those of one sweep, each with its key."""
    return [
        replace(request, sweep=SweepPart(id=sweep_id, values=_values(request), key=part_key(request)))
        for request in requests
    ]


def _values(request: Request) -> dict[str, Any]:
    return dict(request.loaded.redaction.values(request.loaded.combination))


def part_key(request: Request) -> str:
    """Return what tells a run of a sweep from others: its plan, where it runs, and the content of its local inputs."""
    plan = {key: value for key, value in request.plan.to_json().items() if key not in _NO_MATTER}
    base = request.loaded.path.parent
    parts = {"plan": plan, "backend": request.backend.name, "inputs": _inputs(request.plan, base)}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _inputs(plan: Plan, base: Path) -> Mapping[str, str]:
    return {item.src: digest_of(base / item.src) for item in plan.inputs if (base / item.src).is_file()}


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file (OSError)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def finished_parts(name: str, requests: Sequence[Request]) -> tuple[str, dict[str, RunRecord]]:
    """Return the id of a sweep that goes on, and those of its runs that are finished, by their keys.

    Args:
        name: The sweep's id, or the start of it.
        requests: What the sweep is to consist of.

    Raises:
        UsageError: There is no such sweep, or none of its runs is one of these.
    """
    store = requests[0].store
    records = [read_run(folder) for folder in find_sweep(name, store)]
    if not records or records[0].sweep is None:
        raise UsageError(f"--resume: no sweep {name!r} in {store}")
    keys = {part_key(request) for request in requests}
    known = [record for record in records if record.sweep and record.sweep.key in keys]
    if not known:
        raise UsageError(f"--resume {records[0].sweep.id}: none of its runs is one of this file's")
    finished = {str(record.sweep.key): record for record in known if record.sweep and record.exit_code not in _AGAIN}
    return records[0].sweep.id, finished
