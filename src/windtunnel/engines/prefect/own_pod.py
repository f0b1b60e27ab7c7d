"""The pod that a flow runs in, if it runs in one, as the cluster sees it."""

from __future__ import annotations

import os
from contextlib import closing

from windtunnel.backends.kubernetes.settings import POD


def why_it_goes(*, at_start: bool = False) -> str | None:
    """Return in words why the pod of this process has to go; None if it is there to stay, or this is no pod.

    Args:
        at_start: Whether the process has just begun: a pod that is not found is one of another namespace then.

    Raises:
        Refused, OSError, PlatformError: The cluster does not say.
    """
    if POD not in os.environ:
        return None
    from windtunnel.backends.kubernetes import api, driver_pod

    cluster = api.connect()
    with closing(cluster.api):
        words = driver_pod.why_it_goes(cluster)
    return None if at_start and words == driver_pod.GONE else words
