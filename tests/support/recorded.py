"""What tests read off a run on the recording backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from windtunnel.backends.recording import RecordingBackend
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord


def outcome(record: RunRecord) -> tuple[int | None, str, str | None, str | None]:
    """Return exit code, status, the cause's code and the verdict."""
    return record.exit_code, record.status, record.cause.code if record.cause else None, record.validity


def events(record: RunRecord, kind: str) -> list[dict[str, Any]]:
    """Return the events of one kind that the run's folder has."""
    return [line for line in RunFolder(Path(record.path or "")).lines("events") if line["type"] == kind]


def stops(backend: RecordingBackend) -> list[str]:
    """Return what was stopped, in order."""
    return [call for call in backend.calls if call.startswith("stop")]
