"""Parameters of a flow run, which everybody who sees the server sees: secrets do not belong there."""

from __future__ import annotations

from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from windtunnel.engines.prefect.sources import without_secrets
from windtunnel.errors import UsageError


def refuse_secrets() -> None:
    """Refuse the current flow run if a secret is among its parameters, and take it out of them.

    Raises:
        UsageError: With the way out; it does not repeat the secret.
    """
    run = UUID(str(flow_run.id))
    with get_client(sync_client=True) as client:
        given = client.read_flow_run(run).parameters
        cleaned = without_secrets(given)
        if cleaned == given:
            return
        client.update_flow_run(run, parameters=cleaned)
    names = " and ".join(name for name in ("benchmark", "overrides") if cleaned.get(name) != given.get(name))
    if not names:
        return  # an address with a password is refused as a store, in other words
    raise UsageError(
        f"{names}: a secret stands there in the clear, and parameters are shown to all who see this server; it is taken"
        " out of this run's now. Make a Secret block NAME with the whole benchmark as its value (Blocks, in the UI) and"
        ' give benchmark = "secret/NAME", or let `windtunnel deploy FILE` store it. Give the secret a new value',
        code="secret_parameter",
    )
