"""Parameters and job variables of a flow run, which everybody who sees the server sees: no place for secrets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.runtime import flow_run

from windtunnel.backends.kubernetes.settings import POD, S3_SECRET
from windtunnel.engines.prefect.sources import without_secrets
from windtunnel.errors import UsageError
from windtunnel.secrets import Redaction

_CODE = "secret_parameter"


def refuse_secrets() -> None:
    """Refuse the current flow run if a secret is among its parameters, or in its pod's Job, and take it out of them.

    Raises:
        UsageError: With the way out; it does not repeat the secret.
    """
    run = UUID(str(flow_run.id))
    with get_client(sync_client=True) as client:
        found = client.read_flow_run(run)
        if POD in os.environ:
            _refuse_variables(client, found)
        given = found.parameters
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
        code=_CODE,
    )


def _refuse_variables(client: SyncPrefectClient, run: FlowRun) -> None:
    """Refuse a flow run whose Job has a secret as text, by its own job variables or its deployment's."""
    deployed = client.read_deployment(run.deployment_id).job_variables if run.deployment_id else {}
    given = {"this run": run.job_variables or {}, "its deployment": deployed or {}}
    cleaned = {whose: without_secret_variables(variables) for whose, variables in given.items()}
    if cleaned == given:
        return
    if cleaned["this run"] != given["this run"]:
        client.update_flow_run(run.id, job_variables=cleaned["this run"])
    names = " and ".join(whose for whose in given if cleaned[whose] != given[whose])
    raise UsageError(
        f"env in the job variables of {names}: a secret stands there in the clear, and in the Job, for all who see this"
        " server or the namespace; of this run's it is taken out now. Put it into a Secret that flows' pods take their"
        f" variables from, such as {S3_SECRET}. Give it a new value",
        code=_CODE,
    )


def without_secret_variables(job_variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return job variables without what is secret in their `env`, which a worker writes into the Job."""
    env = job_variables.get("env")
    if not isinstance(env, Mapping):
        return dict(job_variables)
    # One that is null is left out of the Job.
    given = {name: value for name, value in env.items() if value is not None}
    return {**job_variables, "env": {**env, **Redaction().document({"env": given})["env"]}}
