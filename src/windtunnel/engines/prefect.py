"""The Prefect engine: the same walk, each act a Prefect task that is called by its name.

It runs with the server that ``PREFECT_API_URL`` names, or without one on Prefect's own
temporary server, which starts with the run (some 10 s). Tasks are called directly, never
submitted: only then is what they do over when they end, also when a run is cancelled.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from windtunnel.engines.execute import Request, execute
from windtunnel.engines.interrupts import signals_cancel
from windtunnel.errors import ExitCode
from windtunnel.run.record import RunRecord

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

T = TypeVar("T")

# Set before Prefect reads them, and only where the user has not said otherwise.
_SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # On a new database the temporary server may take over 20 s, the default.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    # Acts fail by raising, and the record says why: a traceback for each would bury it.
    "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL": "CRITICAL",
}
_STATE_NAMES: Mapping[int, str] = {
    ExitCode.OK: "Completed",
    ExitCode.BENCHMARK_FAILED: "Failed",
    ExitCode.PLATFORM: "PlatformFailed",
    ExitCode.TIMED_OUT: "TimedOut",
    ExitCode.INVALID: "Invalid",
    ExitCode.LEFT_BEHIND: "LeftBehind",
    ExitCode.CANCELLED: "Cancelled",
}


def run(request: Request) -> RunRecord:
    """Run a request as a Prefect flow, here and now.

    Raises:
        UsageError: The store cannot be written; nothing was started.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    from prefect import Flow

    records: list[RunRecord] = []
    errors: list[Exception] = []

    def benchmark() -> State[Any]:
        # Prefect has handlers of its own by now, which would cut the walk.
        with signals_cancel(request.control):
            try:
                record = execute(request, "prefect", _call)
            except Exception as error:
                errors.append(error)
                raise
        records.append(record)
        return state_of(record)

    info = request.loaded.benchmark.benchmark
    flow = Flow(benchmark, name=info.strategy, flow_run_name=info.name, validate_parameters=False, persist_result=True)
    state = flow(return_state=True)
    if errors:
        raise errors[0]
    if not records:
        raise RuntimeError(f"Prefect did not run the flow: {state.message}")
    return records[0]


def state_of(record: RunRecord) -> State[Any]:
    """Return the Prefect state that tells a run's outcome: type, name, and a sentence."""
    from prefect.client.schemas.objects import State, StateType

    code = ExitCode(record.exit_code or 0)
    if code == ExitCode.OK:
        kind = StateType.COMPLETED
    elif code == ExitCode.CANCELLED:
        kind = StateType.CANCELLED
    else:
        kind = StateType.FAILED
    name = _STATE_NAMES.get(code, "Failed")
    return State(type=kind, name=name, message=_sentence(record), data=record.model_dump(mode="json"))


def _sentence(record: RunRecord) -> str:
    verdict = record.validity or "no result"
    if record.cause:
        return f"{verdict}: {record.cause.message}"
    if record.reasons:
        return f"{verdict}: {'; '.join(record.reasons)}"
    metrics = [f"{name} {metric.mean:.4g} {metric.unit or ''}".strip() for name, metric in record.metrics.items()]
    return f"{verdict}: {', '.join(metrics[:3])}"


def _call(name: str, act: Callable[[], T]) -> T:
    """Do an act as a task of the current flow run, in this thread."""
    from prefect import Task
    from prefect.cache_policies import NO_CACHE

    task: Task[[], T] = Task(fn=act, name=name, task_run_name=name, cache_policy=NO_CACHE, persist_result=False)
    return task()
