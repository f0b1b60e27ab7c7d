"""The Prefect engine: the same walk, each act a Prefect task that is called by its name.

It runs with the server that ``PREFECT_API_URL`` names, or without one on Prefect's own
temporary server, which starts with the run (some 10 s). Tasks are called directly, never
submitted: only then is what they do over when they end, also when a run is cancelled.
"""

from __future__ import annotations

import os
import tomllib
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windtunnel.engines.request import Request
from windtunnel.errors import WindtunnelError
from windtunnel.run.record import RunRecord

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

# Set before Prefect reads them, and only where the user has not said otherwise.
_SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # On a new database the temporary server may take over 20 s, the default.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}


HEARTBEAT_SECONDS = 30
"""Often enough that an automation can tell a dead run within two minutes."""


def quiet_settings() -> None:
    """Set what Prefect should do unless the user says otherwise; to be called before it is imported."""
    chosen = _profile()
    for name, value in _SETTINGS.items():
        # A variable outranks a profile.
        if name not in chosen:
            os.environ.setdefault(name, value)


def is_server_named() -> bool:
    """Tell whether the environment or the user's profile names a server; Prefect is not imported for that."""
    return bool(os.environ.get("PREFECT_API_URL") or _profile().get("PREFECT_API_URL"))


def _profile() -> dict[str, object]:
    """Return the settings of the user's active Prefect profile."""
    home = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    path = Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")
    try:
        profiles = tomllib.loads(path.read_text(encoding="utf-8"))
        active = os.environ.get("PREFECT_PROFILE") or profiles["active"]
        return dict(profiles["profiles"][active])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def run(request: Request) -> RunRecord:
    """Run a request as a Prefect flow, here and now.

    Raises:
        UsageError: The store cannot be written; nothing was started.
        PlatformError: A server is configured and does not answer; nothing was started.
    """
    quiet_settings()
    from prefect import Flow, tags
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from windtunnel.engines.prefect.flow_run import run_in_flow
    from windtunnel.engines.prefect.outcome_state import refusal
    from windtunnel.engines.prefect.server import check_server
    from windtunnel.engines.prefect.tags import TAG

    records: list[RunRecord] = []
    refused: list[WindtunnelError] = []

    def benchmark() -> State[Any]:
        try:
            return run_in_flow(
                request,
                records.append,
                on_away=lambda: patience.enter_context(temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0})),
            )
        except WindtunnelError as error:
            refused.append(error)
            return refusal(error)

    info = request.loaded.benchmark.benchmark
    flow = Flow(benchmark, name=info.strategy, flow_run_name=info.name, validate_parameters=False, persist_result=True)
    check_server()
    # What is set last, when the server is given up, is put back first.
    with tags(TAG), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: HEARTBEAT_SECONDS}), ExitStack() as patience:
        try:
            message = flow(return_state=True).message
        except BaseException as error:
            # Once there is a record, it is the outcome, whatever Prefect meets on its way to tell its server.
            if not records:
                raise
            message = str(error)
    if refused:
        raise refused[0]
    if not records:
        raise RuntimeError(f"Prefect did not run the flow: {message}")
    return records[0]
