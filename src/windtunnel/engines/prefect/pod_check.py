"""Prefect's API, asked by a pod like those that flow runs are in."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

from prefect.utilities.templating import apply_values

from windtunnel.backends.kubernetes.api import Cluster
from windtunnel.backends.kubernetes.job_run import run_job
from windtunnel.errors import PlatformError, UsageError

_SECONDS = 300.0
"""An image of a gigabyte may have to be pulled first."""
_NOT_MADE = {"forbidden", "unauthorized", "quota", "rejected"}
"""Codes of what a cluster does not let this user make: that says nothing of an address or an image."""
_COMMAND = ["python", "-m", "windtunnel.engines.prefect.api_check"]


def check_from_pod(cluster: Cluster, template: dict[str, Any]) -> None:
    """Have a pod of a base job template's image ask for Prefect's API.

    It has a flow run's variables and limits, and no account of the cluster's: that of flow runs may not be there yet.

    Raises:
        UsageError: It cannot start, or does not reach the API; with its words.
        PlatformError: It may not be made.
    """
    job = check_job(template)
    container = job["spec"]["template"]["spec"]["containers"][0]
    address = next(each["value"] for each in container["env"] if each["name"] == "PREFECT_API_URL")
    what = f"a pod of the image {container['image']} in {cluster.namespace} does not reach {address}"
    try:
        end = run_job(cluster, job, _SECONDS)
    except PlatformError as error:
        if error.code in _NOT_MADE:
            raise
        raise UsageError(f"{what}: {error.message}") from None
    if end.code:
        raise UsageError(f"{what}; it says: {end.words or f'nothing (exit code {end.code})'}")


def check_job(template: dict[str, Any]) -> dict[str, Any]:
    """Return the Job of a base job template as it is by default, but for what it runs."""
    variables = template["variables"]["properties"]
    values = {name: about["default"] for name, about in variables.items() if about.get("default") is not None}
    # What begins with the flow run that it is of.
    values |= {"name": "windtunnel-check", "labels": {"app.kubernetes.io/part-of": "windtunnel"}, "annotations": {}}
    made = apply_values(template["job_configuration"], values | {"command": _COMMAND})
    job: dict[str, Any] = made["job_manifest"]
    metadata, spec = job["metadata"], job["spec"]
    metadata["name"] = f"{metadata.pop('generateName')}{token_hex(4)}"
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    # Should nobody be there to delete it.
    spec["ttlSecondsAfterFinished"], spec["activeDeadlineSeconds"] = 60, round(_SECONDS)
    del pod["serviceAccountName"]
    pod["automountServiceAccountToken"] = False
    # A wrong address is to be told soon.
    env = made["env"] | {"PREFECT_CLIENT_MAX_RETRIES": "1"}
    container["env"] += [{"name": name, "value": str(value)} for name, value in env.items() if value is not None]
    return job
