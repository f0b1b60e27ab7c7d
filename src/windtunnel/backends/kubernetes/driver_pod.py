"""The pod that a driver runs in, if it runs in one: what a run makes goes with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from windtunnel.backends.kubernetes.api import NOT_FOUND, Cluster, Refused, map_errors
from windtunnel.backends.kubernetes.manifests import Manifest
from windtunnel.backends.kubernetes.settings import POD, POD_UID

GONE = "it is gone"
"""Why a pod has to go that the cluster does not know (any more)."""
_ANSWER_SECONDS = 3.0
"""How long the API has to answer a driver that is to end."""


def driver_pod(cluster: Cluster) -> Manifest | None:
    """Return the pod of this process as an owner reference; None outside of a pod that says who it is.

    It is the pod and not its Job: who deletes a Job in the foreground would take a run's objects away before its
    driver. A pod of another namespace than the run's can own nothing of it.

    Raises:
        PlatformError: The API does not say.
    """
    name = os.environ.get(POD)
    if not name:
        return None
    with map_errors("looking at the driver's own pod"):
        try:
            found = cluster.call("GET", cluster.path("Pod", name))
        except Refused as error:
            if error.status != NOT_FOUND:
                raise
            return None
    uid = found["metadata"]["uid"]
    return {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid} if uid == os.environ.get(POD_UID) else None


def why_it_goes(cluster: Cluster) -> str | None:
    """Return in words why the pod of this process has to go, as the cluster tells it; None if it is there to stay.

    The API is asked once. Kubernetes says of a pod that it means to disrupt what does so (its condition
    ``DisruptionTarget``), and of a Job why it has failed.

    Raises:
        Refused, OSError: It does not say.
    """
    pod = _find(cluster, "Pod", os.environ[POD], os.environ.get(POD_UID))
    if pod is None:
        return GONE
    if words := _condition(pod, "DisruptionTarget"):
        return words
    for owner in pod["metadata"].get("ownerReferences", ()):
        if owner["kind"] == "Job":
            job = _find(cluster, "Job", owner["name"], owner["uid"])
            if job is None or "deletionTimestamp" in job["metadata"]:
                return "its Job was deleted"
            if words := _condition(job, "FailureTarget", "Failed"):
                return words
    return "it was deleted" if "deletionTimestamp" in pod["metadata"] else None


def _find(cluster: Cluster, kind: str, name: str, uid: str | None) -> dict[str, Any] | None:
    """Return an object that is there, and is the one that was meant."""
    try:
        found: dict[str, Any] = cluster.ask("GET", cluster.path(kind, name), timeout=_ANSWER_SECONDS)
    except Refused as error:
        if error.status != NOT_FOUND:
            raise
        return None
    return found if found["metadata"]["uid"] == uid else None


def _condition(thing: Mapping[str, Any], *types: str) -> str | None:
    """Return the reason and the message of the first of some conditions that holds."""
    for each in thing.get("status", {}).get("conditions", ()):
        if each["type"] in types and each["status"] == "True":
            return ": ".join(words for words in (each.get("reason"), each.get("message")) if words)
    return None
