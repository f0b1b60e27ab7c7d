"""Where a pod may run: what it says of nodes and of its neighbours. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from windtunnel.backends.kubernetes.manifests import Manifest, step_selector
from windtunnel.backends.kubernetes.naming import Naming
from windtunnel.plan import Gang, Job, Placement, Service

HOSTNAME, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
_ARCHITECTURE = "kubernetes.io/arch"


@dataclass(frozen=True)
class Placing:
    """Where a pod may run.

    Attributes:
        away_from: Steps whose nodes it must not share.
        zone: The zone that it has to be in.
        node: The node that it should run on again.
        kept: The node that it has to leave to others.
        architecture: What its Python packages were built for.
        near: The step whose other pods it should be near, if it is a member of a gang or a job.
        members: Whether it has a node that none of these is on (``spread``), or theirs (``packed``).
    """

    away_from: Sequence[str] = ()
    zone: str | None = None
    node: str | None = None
    kept: str | None = None
    architecture: str | None = None
    near: str = ""
    members: Placement = "any"


def among_members(step: Service | Job) -> dict[str, Any]:
    """Return what is said of a step's members among themselves, as arguments of `Placing`."""
    has_members = isinstance(step, Gang) or (isinstance(step, Job) and step.size is not None)
    return {"near": step.name, "members": step.placement} if has_members else {}


def affinity(naming: Naming, placing: Placing) -> Manifest:
    """Return what a pod asks of its node."""
    found: dict[str, Any] = {}
    away_from = [*placing.away_from, *([placing.near] if placing.members == "spread" else [])]
    if away_from:
        others = [_pods_of(naming, step, HOSTNAME) for step in away_from]
        found["podAntiAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": others}
    if placing.members == "packed":
        # The first of them goes anywhere: it fits its own term.
        own = [_pods_of(naming, placing.near, HOSTNAME)]
        found["podAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": own}
    elif placing.near:
        # A zone of its own is no condition: one that is larger than any zone still runs.
        own = [{"weight": 100, "podAffinityTerm": _pods_of(naming, placing.near, ZONE)}]
        found["podAffinity"] = {"preferredDuringSchedulingIgnoredDuringExecution": own}
    node: dict[str, Any] = {}
    required = [_term(ZONE, "In", placing.zone)] if placing.zone else []
    required += [_term(HOSTNAME, "NotIn", placing.kept)] if placing.kept else []
    required += [_term(_ARCHITECTURE, "In", placing.architecture)] if placing.architecture else []
    if required:
        terms = {"nodeSelectorTerms": [{"matchExpressions": required}]}
        node["requiredDuringSchedulingIgnoredDuringExecution"] = terms
    if placing.node:
        # The same node for each iteration: numbers of two machines are not comparable.
        preference = {"matchExpressions": [_term(HOSTNAME, "In", placing.node)]}
        node["preferredDuringSchedulingIgnoredDuringExecution"] = [{"weight": 100, "preference": preference}]
    return found | ({"nodeAffinity": node} if node else {})


def _pods_of(naming: Naming, step: str, where: str) -> Manifest:
    """Return the term of an affinity that means a step's pods, on the same node or in the same zone."""
    return {"labelSelector": {"matchLabels": step_selector(naming, step)}, "topologyKey": where}


def _term(label: str, operator: str, value: str) -> Manifest:
    return {"key": label, "operator": operator, "values": [value]}
