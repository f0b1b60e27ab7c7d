"""What runs left in the cluster although driver and warden are gone: found by its labels."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from typing import Any

from windtunnel.backends.labels import RUN
from windtunnel.errors import PlatformError

SKEW_SECONDS = 60.0
"""How long something may be unattended: what was just made, or a driver that is late."""


@dataclass(frozen=True)
class Leftover:
    """An object of a run that nobody looks after."""

    kind: str
    name: str
    namespace: str

    def __str__(self) -> str:
        return f"{self.kind.lower()} {self.name} in namespace {self.namespace}"


def find_leftovers() -> list[Leftover]:
    """Return what nobody looks after any more in the configured namespace; nothing if no cluster is configured.

    Raises:
        PlatformError: The cluster cannot be asked.
    """
    if find_spec("kubernetes") is None:
        return []
    from windtunnel.backends.kubernetes.kubeconfig import is_configured

    if not is_configured():
        return []
    from windtunnel.backends.kubernetes.calls import API_LOST, Cluster, Refused, connect
    from windtunnel.backends.kubernetes.objects import ENGINES_OWN
    from windtunnel.backends.kubernetes.warden import KINDS

    def orphans(cluster: Cluster) -> Iterator[Leftover]:
        query = {"labelSelector": f"{RUN},!{ENGINES_OWN}"}
        things = {kind: cluster.ask("GET", cluster.path(kind), query=query)["items"] for kind in KINDS}
        now = cluster.now()
        attended = {each["metadata"]["labels"][RUN] for each in things["Lease"] if not _is_stale(each, now)}
        for kind, found in things.items():
            for each in found:
                # One that was just made may be older than its run's lease.
                is_old = now - _moment(each["metadata"]["creationTimestamp"]) > SKEW_SECONDS
                if is_old and each["metadata"]["labels"][RUN] not in attended:
                    yield Leftover(kind, each["metadata"]["name"], cluster.namespace)

    cluster = connect()
    try:
        return list(orphans(cluster))
    except (Refused, OSError) as error:
        words = f"namespace {cluster.namespace} of {cluster.context} cannot be looked at: {error}"
        raise PlatformError(words, code=API_LOST) from None


def end_leftovers(leftovers: Sequence[Leftover]) -> list[Leftover]:
    """Delete leftovers, with what they own; return what is still there, or may be."""
    if not leftovers:
        return []
    from windtunnel.backends.kubernetes.calls import Refused, connect
    from windtunnel.backends.kubernetes.warden import GONE_SECONDS

    try:
        cluster = connect()
        for leftover in leftovers:
            # Whether what is refused is gone all the same is looked at below.
            with suppress(Refused):
                cluster.delete(leftover.kind, leftover.name, 1 if leftover.kind == "Pod" else None)
        deadline = time.monotonic() + GONE_SECONDS
        while (left := find_leftovers()) and time.monotonic() < deadline:
            time.sleep(0.5)
    except PlatformError:
        return list(leftovers)
    return left


def _is_stale(lease: Mapping[str, Any], now: float) -> bool:
    """Tell whether a lease was not renewed for too long, by the API's clock: that of its driver may be another."""
    told = [each["time"] for each in lease["metadata"].get("managedFields") or () if each.get("time")]
    renewed = max(map(_moment, told or [lease["spec"]["renewTime"]]))
    return now - renewed > float(lease["spec"]["leaseDurationSeconds"]) + SKEW_SECONDS


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
