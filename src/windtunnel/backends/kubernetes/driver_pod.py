"""The pod that a driver runs in, if it runs in one: what a run makes goes with it."""

from __future__ import annotations

import os

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
