"""The pod that a flow runs in, if it runs in one, as the cluster sees it."""

from __future__ import annotations

import os
from contextlib import closing

from windtunnel.backends.kubernetes.settings import POD


def why_it_goes() -> str | None:
    """Return in words why the pod of this process has to go; None if it is there to stay, or this is no pod.

    Raises:
        Refused, OSError, PlatformError: The cluster does not say.
    """
    if POD not in os.environ:
        return None
    from windtunnel.backends.kubernetes import api, driver_pod

    cluster = api.connect()
    with closing(cluster.api):
        return driver_pod.why_it_goes(cluster)
