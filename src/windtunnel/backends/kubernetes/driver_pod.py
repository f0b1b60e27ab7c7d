"""The pod that a driver runs in, if it runs in one: what a run makes goes with it."""

from __future__ import annotations

import os
from typing import Any

from windtunnel.backends.kubernetes.api import NOT_FOUND, Cluster, Refused, map_errors
from windtunnel.backends.kubernetes.manifests import Manifest
from windtunnel.backends.kubernetes.settings import POD, POD_UID


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


def is_kept(cluster: Cluster) -> bool:
    """Tell whether the pod of this process, and the Job that made it, are there and not on their way out.

    The API is asked once.

    Raises:
        Refused, OSError: It does not say.
    """
    pod = _find(cluster, "Pod", os.environ[POD], os.environ.get(POD_UID))
    if pod is None:
        return False
    owners = [owner for owner in pod.get("ownerReferences", ()) if owner["kind"] == "Job"]
    return all(_find(cluster, "Job", owner["name"], owner["uid"]) for owner in owners)


def _find(cluster: Cluster, kind: str, name: str, uid: str | None) -> dict[str, Any] | None:
    """Return the metadata of an object that is there and not being deleted, and is the one that was meant."""
    try:
        found: dict[str, Any] = cluster.ask("GET", cluster.path(kind, name))["metadata"]
    except Refused as error:
        if error.status != NOT_FOUND:
            raise
        return None
    return found if found["uid"] == uid and "deletionTimestamp" not in found else None
