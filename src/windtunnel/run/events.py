"""What happens in a run, as it happens: one enumeration, one line of JSON each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class EventType(StrEnum):
    """Every kind of event; new kinds may be added, none changes its meaning."""

    RUN_STARTED = "run_started"
    INPUT_FETCHED = "input_fetched"
    REQUIREMENTS_INSTALLED = "requirements_installed"
    SERVICE_STARTING = "service_starting"
    SERVICE_STARTED = "service_started"
    SERVICE_READY = "service_ready"
    ITERATION_STARTING = "iteration_starting"
    ITERATION_STARTED = "iteration_started"
    RANKS_PLACED = "ranks_placed"
    ITERATION_FINISHED = "iteration_finished"
    SERVICE_STOPPING = "service_stopping"
    SERVICE_STOPPED = "service_stopped"
    NOTE = "note"
    CAUSE = "cause"
    MEASURED = "measured"
    UPLOADING = "uploading"
    RUN_FINISHED = "run_finished"


@dataclass(frozen=True)
class Event:
    """One event.

    Attributes:
        type: Kind of event.
        step: The step that it happened to, if to one.
        iteration: The iteration, if it happened in one; counted from 1, warm-up included.
        message: A sentence for people.
        data: Facts for programs.
        time: Seconds since the epoch.
    """

    type: EventType
    step: str | None = None
    iteration: int | None = None
    message: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    time: float = field(default_factory=time.time)

    def to_json(self) -> dict[str, Any]:
        """Return the event as the line that the run's folder keeps."""
        line: dict[str, Any] = {"time": timestamp(self.time), "type": self.type.value}
        line |= {key: value for key, value in (("step", self.step), ("iteration", self.iteration)) if value is not None}
        if self.message:
            line["message"] = self.message
        return line | ({"data": dict(self.data)} if self.data else {})


Observer = Callable[[Event], None]
"""Called with each event, after it was written down."""


def timestamp(seconds: float) -> str:
    """Return seconds since the epoch as RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
