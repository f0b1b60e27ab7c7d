"""The Prefect engine: the same walk, each act a Prefect task that is called by its name.

It runs with the server that ``PREFECT_API_URL`` names, or without one on Prefect's own
temporary server, which starts with the run (some 10 s). Tasks are called directly, never
submitted: only then is what they do over when they end, also when a run is cancelled.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from windtunnel.engines.request import Request
from windtunnel.run.record import RunRecord

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

TAG = "windtunnel"
"""On every flow run of ours: by it the server's automations know them."""

# Set before Prefect reads them, and only where the user has not said otherwise.
_SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # On a new database the temporary server may take over 20 s, the default.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    # Often enough that an automation can tell a dead run within two minutes.
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
}


def quiet_settings() -> None:
    """Set what Prefect should do unless the user says otherwise; to be called before it is imported."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)


def run(request: Request) -> RunRecord:
    """Run a request as a Prefect flow, here and now.

    Raises:
        UsageError: The store cannot be written; nothing was started.
    """
    quiet_settings()
    from prefect import Flow, tags

    from windtunnel.engines.prefect.flow_run import run_in_flow

    records: list[RunRecord] = []
    errors: list[Exception] = []

    def benchmark() -> State[Any]:
        try:
            return run_in_flow(request, records.append)
        except Exception as error:
            errors.append(error)
            raise

    info = request.loaded.benchmark.benchmark
    flow = Flow(benchmark, name=info.strategy, flow_run_name=info.name, validate_parameters=False, persist_result=True)
    with tags(TAG):
        state = flow(return_state=True)
    if errors:
        raise errors[0]
    if not records:
        raise RuntimeError(f"Prefect did not run the flow: {state.message}")
    return records[0]
