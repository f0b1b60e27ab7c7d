"""A run's outcome as a Prefect state: type, name, and a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect.client.schemas.objects import State, StateType

from windtunnel.errors import (
    BenchmarkFailed,
    Cancelled,
    ExitCode,
    InvalidResult,
    PlatformError,
    TimedOut,
    WindtunnelError,
)
from windtunnel.run.record import RunRecord

STATE_NAMES: Mapping[int, str] = {
    ExitCode.OK: "Completed",
    ExitCode.BENCHMARK_FAILED: "Failed",
    ExitCode.BAD_INPUT: "Refused",
    ExitCode.PLATFORM: "PlatformFailed",
    ExitCode.TIMED_OUT: "TimedOut",
    ExitCode.INVALID: "Invalid",
    ExitCode.LEFT_BEHIND: "LeftBehind",
    ExitCode.BUG: "Failed",
    ExitCode.CANCELLED: "Cancelled",
}
"""The name of the state that each exit code ends in; automations are written against them."""
_ERRORS: Mapping[int, type[WindtunnelError]] = {
    error.exit_code: error for error in (BenchmarkFailed, PlatformError, TimedOut, InvalidResult, Cancelled)
}


def state_of(record: RunRecord) -> State[Any]:
    """Return the state that tells a finished run's outcome, with its record as a success's result."""
    code = ExitCode(record.exit_code or 0)
    message, name = sentence(record), STATE_NAMES[code]
    if code == ExitCode.OK:
        return State(type=StateType.COMPLETED, name=name, message=message, data=record.model_dump(mode="json"))
    kind = StateType.CANCELLED if code == ExitCode.CANCELLED else StateType.FAILED
    # Of a state that is no success, Prefect takes only an exception as the result.
    return State(type=kind, name=name, message=message, data=_ERRORS.get(code, WindtunnelError)(message))


def refusal(error: WindtunnelError) -> State[Any]:
    """Return the state of a run that was refused before anything was started."""
    name = STATE_NAMES.get(error.exit_code, "Failed")
    return State(type=StateType.FAILED, name=name, message=error.message, data=error)


def sentence(record: RunRecord) -> str:
    """Return a run's verdict with its cause, its reasons, or its first numbers."""
    verdict = record.validity or "no result"
    if record.cause:
        return f"{verdict}: {record.cause.message}"
    if record.reasons:
        return f"{verdict}: {'; '.join(record.reasons)}"
    metrics = [f"{name} {metric.mean:.4g} {metric.unit or ''}".strip() for name, metric in record.metrics.items()]
    return f"{verdict}: {', '.join(metrics[:3])}"
