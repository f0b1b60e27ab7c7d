"""A benchmark's workflow or schedule, created in the cluster with the Secret or ConfigMap that belongs to it."""

from __future__ import annotations

import contextlib
import secrets
from typing import Any

from windtunnel.backends.kubernetes.api import CONFLICT, NOT_FOUND, Cluster, Refused, map_errors
from windtunnel.engines.argo.build import Submission
from windtunnel.engines.argo.labels import ACCOUNT
from windtunnel.engines.argo.workflow import path, require_api
from windtunnel.errors import PlatformError

_AS_US = {"fieldManager": "windtunnel", "force": "true"}
_PLURALS = {"Workflow": "workflows", "CronWorkflow": "cronworkflows"}


def submit(cluster: Cluster, submission: Submission) -> str:
    """Create a workflow, or create or replace a scheduled one, and what carries the rest; return its name.

    Raises:
        PlatformError: Argo, or our account, is not installed, or the API refuses.
    """
    require_api(cluster)
    _require_account(cluster)
    made = submission.made
    place = path(cluster, _PLURALS[made["kind"]])
    with map_errors(f"submitting the {made['kind']}"):
        created = _create(cluster, place, made) if made["kind"] == "Workflow" else _apply(cluster, place, made)
    name = str(created["metadata"]["name"])
    if carrier := submission.carrier:
        try:
            with map_errors(f"making the {carrier.kind} with its benchmark"):
                manifest = carrier.manifest(made["metadata"]["labels"], created)
                cluster.call("APPLY", cluster.path(carrier.kind, carrier.name), manifest, _AS_US)
        except PlatformError:
            # A schedule may be an older one, which goes on with what it has.
            if made["kind"] == "Workflow":
                with contextlib.suppress(Refused, PlatformError):  # what kept the object from being made is told
                    cluster.call("DELETE", f"{place}/{name}")
            raise
    return name


def _create(cluster: Cluster, place: str, made: dict[str, Any]) -> dict[str, Any]:
    """Create it under a name of our own: one that was created though the answer was lost is found again."""
    metadata = {key: value for key, value in made["metadata"].items() if key != "generateName"}
    metadata.setdefault("name", f"{made['metadata'].get('generateName')}{secrets.token_hex(3)}")
    try:
        return dict(cluster.call("POST", place, made | {"metadata": metadata}))
    except Refused as error:
        if error.status != CONFLICT:
            raise
    return dict(cluster.call("GET", f"{place}/{metadata['name']}"))


def _apply(cluster: Cluster, place: str, made: dict[str, Any]) -> dict[str, Any]:
    return dict(cluster.call("APPLY", f"{place}/{made['metadata']['name']}", made, _AS_US))


def _require_account(cluster: Cluster) -> None:
    where = f"namespace {cluster.namespace} of {cluster.context}"
    try:
        cluster.call("GET", cluster.path("ServiceAccount", ACCOUNT))
    except Refused as error:
        if error.status == NOT_FOUND:
            words = f"{where} has no service account {ACCOUNT}; make it once: windtunnel install argo"
            raise PlatformError(f"{words} --namespace {cluster.namespace}", code="not_installed") from None
