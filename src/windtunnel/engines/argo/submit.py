"""A benchmark's workflow or schedule, created in the cluster with the Secret that belongs to it."""

from __future__ import annotations

import base64
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
    """Create a workflow, or create or replace a scheduled one, and the Secret that belongs to it; return its name.

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
    if submission.secret:
        try:
            with map_errors("making the Secret with its benchmark"):
                _hide(cluster, created, submission)
        except PlatformError:
            # A schedule may be an older one, which goes on with what it has.
            if made["kind"] == "Workflow":
                with contextlib.suppress(Refused, PlatformError):  # what kept the Secret from being made is told
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


def _hide(cluster: Cluster, owner: dict[str, Any], submission: Submission) -> None:
    """Create or replace the Secret that a workflow's pods read, and that goes with it (Refused)."""
    reference = {key: owner[key] for key in ("apiVersion", "kind")}
    reference |= {key: owner["metadata"][key] for key in ("name", "uid")}
    name = submission.secret_name
    metadata = {"name": name, "labels": submission.made["metadata"]["labels"], "ownerReferences": [reference]}
    data = {key: base64.b64encode(text.encode()).decode("ascii") for key, text in submission.secret.items()}
    made = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
    cluster.call("APPLY", cluster.path("Secret", name), made, _AS_US)


def _require_account(cluster: Cluster) -> None:
    where = f"namespace {cluster.namespace} of {cluster.context}"
    try:
        cluster.call("GET", cluster.path("ServiceAccount", ACCOUNT))
    except Refused as error:
        if error.status == NOT_FOUND:
            words = f"{where} has no service account {ACCOUNT}; make it once: windtunnel install argo"
            raise PlatformError(f"{words} --namespace {cluster.namespace}", code="not_installed") from None
