"""Where a pod may run: what it says of nodes and of its neighbours. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from windtunnel.backends.kubernetes.manifests import Manifest, step_selector
from windtunnel.backends.kubernetes.naming import Naming

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
    """

    away_from: Sequence[str] = ()
    zone: str | None = None
    node: str | None = None
    kept: str | None = None
    architecture: str | None = None


def affinity(naming: Naming, placing: Placing) -> Manifest:
    """Return what a pod asks of its node."""
    found: dict[str, Any] = {}
    if placing.away_from:
        others = [
            {"labelSelector": {"matchLabels": step_selector(naming, step)}, "topologyKey": HOSTNAME}
            for step in placing.away_from
        ]
        found["podAntiAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": others}
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


def _term(label: str, operator: str, value: str) -> Manifest:
    return {"key": label, "operator": operator, "values": [value]}
