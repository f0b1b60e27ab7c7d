"""Objects of a namespace that carry a run's label, and which of them nobody looks after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from windtunnel.backends.kubernetes.api import API_LOST, Cluster, Refused
from windtunnel.backends.kubernetes.naming import ITERATION
from windtunnel.backends.labels import RUN
from windtunnel.errors import PlatformError

KINDS = ("Pod", "Service", "ConfigMap", "Secret", "Lease", "NetworkPolicy", "Job")
"""What a run makes; pods first, which have a grace."""
SKEW_SECONDS = 60.0
"""How long something may be unattended: what was just made, or a driver that is late."""


@dataclass(frozen=True)
class ClusterObject:
    """An object of a run; `made` is in seconds since the epoch, by the API's clock."""

    kind: str
    name: str
    namespace: str
    run_id: str
    made: float

    def __str__(self) -> str:
        return f"{self.kind.lower()} {self.name} in namespace {self.namespace}"


class KubernetesResources:
    """What carries a run's label in a namespace, but for what an engine made.

    Args:
        cluster: The namespace.
        insists: Whether an API that is away is waited for, and what may not be looked at is passed over.
    """

    def __init__(self, cluster: Cluster, *, insists: bool = False) -> None:
        self._cluster, self._insists = cluster, insists
        self._attended: set[str] = set()
        self._now = 0.0

    def find(self, run_id: str | None = None) -> Sequence[ClusterObject]:
        """Return the objects of a run, or of any (PlatformError)."""
        selector = (RUN if run_id is None else f"{RUN}={run_id}") + f",!{ITERATION}"
        try:
            if self._insists:
                things = list(each_of(self._cluster, selector))
            else:
                things = [(kind, each) for kind in KINDS for each in self._ask(kind, selector)]
                self._now = self._cluster.now()
        except (Refused, OSError) as error:
            cluster = self._cluster
            words = f"namespace {cluster.namespace} of {cluster.context} cannot be looked at: {error}"
            raise PlatformError(words, code=API_LOST) from None
        leases = [each for kind, each in things if kind == "Lease"]
        self._attended = {each["metadata"]["labels"][RUN] for each in leases if not _is_stale(each, self._now)}
        return [self._object(kind, each["metadata"]) for kind, each in things]

    def remove(self, found: Sequence[ClusterObject]) -> None:
        """Delete objects, with what they own (PlatformError); whether what is refused is gone all the same, is seen."""
        for one in found:
            with suppress(Refused):
                self._cluster.delete(one.kind, one.name, 1 if one.kind == "Pod" else None)

    def is_attended(self, one: ClusterObject) -> bool:
        """Tell whether the run's lease is renewed, or an object was just made: it may be older than its run's lease."""
        return one.run_id in self._attended or self._now - one.made <= SKEW_SECONDS

    def _ask(self, kind: str, selector: str) -> list[Any]:
        return list(self._cluster.ask("GET", self._cluster.path(kind), query={"labelSelector": selector})["items"])

    def _object(self, kind: str, metadata: Mapping[str, Any]) -> ClusterObject:
        made = _moment(metadata["creationTimestamp"])
        return ClusterObject(kind, metadata["name"], self._cluster.namespace, metadata["labels"][RUN], made)


def each_of(cluster: Cluster, selector: str) -> Iterator[tuple[str, Any]]:
    """Yield what a namespace has with some labels, kind by kind; what may not be looked at is passed over."""
    for kind in KINDS:
        with suppress(Refused):
            yield from ((kind, each) for each in cluster.find(kind, selector))


def _is_stale(lease: Mapping[str, Any], now: float) -> bool:
    """Tell whether a lease was not renewed for too long, by the API's clock: that of its driver may be another."""
    told = [each["time"] for each in lease["metadata"].get("managedFields") or () if each.get("time")]
    renewed = max(map(_moment, told or [lease["spec"]["renewTime"]]))
    return now - renewed > float(lease["spec"]["leaseDurationSeconds"]) + SKEW_SECONDS


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
