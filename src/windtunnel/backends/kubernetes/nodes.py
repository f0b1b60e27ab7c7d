"""Where the pods of a run's servers may go, so that its client has a node left: no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from windtunnel.backends.kubernetes.affinity import HOSTNAME, ZONE
from windtunnel.plan import Plan, Program, Service, Step

MANY = 200
"""So many nodes are looked at: a run that could fill more needs more thought than this gives it."""
Node = Mapping[str, Any]


@dataclass(frozen=True)
class SchedulingHints:
    """What holds for all pods of servers.

    Attributes:
        zone: The zone that they keep to: their clients follow them there.
        kept: The host name of the node that those which are to be apart leave to their clients.
    """

    zone: str | None = None
    kept: str | None = None


def servers_with_pods(plan: Plan) -> list[Service]:
    """Return the services that have pods of their own."""
    return [step for step in plan.steps if isinstance(step, Service) and step.placement != "same-pod"]


def has_choice(plan: Plan) -> bool:
    """Tell whether its servers' pods could be at several places, so that it matters where."""
    return sum(service.replicas for service in servers_with_pods(plan)) > 1


def choose_hints(plan: Plan, nodes: Sequence[Node]) -> SchedulingHints:
    """Return where a plan's servers should go.

    The scheduler places one pod after the other, servers first. It spreads them over all nodes
    and zones; then none is left that a client could have for itself, or the way to one replica is
    longer than to the next.

    Args:
        plan: What is run.
        nodes: The cluster's nodes, as the API tells them.
    """
    steps: list[Step] = [*servers_with_pods(plan), *plan.jobs]
    zone = _best_zone([_usable(nodes, step.program) for step in steps], steps)
    there = [node for node in nodes if zone is None or _labels(node).get(ZONE) == zone]
    return SchedulingHints(zone, _keep(plan, there))


def _best_zone(usable: Iterable[Sequence[Node]], steps: Iterable[Step]) -> str | None:
    """Return the zone where the step with the least choice has the most; None if the user chose, or none suits all."""
    if any(ZONE in step.program.node_selector for step in steps):
        return None
    counts = [Counter(zone for node in each if (zone := _labels(node).get(ZONE))) for each in usable]
    common = sorted(set.intersection(*(set(each) for each in counts)))
    return max(common, key=lambda zone: min(each[zone] for each in counts), default=None)


def _keep(plan: Plan, nodes: Sequence[Node]) -> str | None:
    """Return the node that servers leave free, or None if there are enough, or none that they can spare."""
    apart = [service for service in servers_with_pods(plan) if service.placement == "apart"]
    needed = [{_host(node) for node in _usable(nodes, service.program)} for service in apart]
    wanted = set.intersection(*({_host(node) for node in _usable(nodes, job.program)} for job in plan.jobs))
    if len(wanted) > sum(service.replicas for service in apart) or wanted - set().union(*needed):
        return None
    spare = [host for host in sorted(wanted) if all(each - {host} for each in needed)]
    # Who has the least choice keeps it.
    return min(spare, key=lambda host: sum(host in each for each in needed), default=None)


def _usable(nodes: Iterable[Node], program: Program) -> list[Node]:
    """Return the nodes that would take a program, if they have room."""
    return [
        node
        for node in nodes
        if not node["spec"].get("unschedulable")
        and program.node_selector.items() <= _labels(node).items()
        and all(_is_tolerated(taint, program) for taint in node["spec"].get("taints") or ())
    ]


def _is_tolerated(taint: Mapping[str, str], program: Program) -> bool:
    if taint["effect"] == "PreferNoSchedule":
        return True
    return any(
        each.get("key") in {None, taint["key"]}
        and each.get("effect") in {None, taint["effect"]}
        and (each.get("operator") == "Exists" or each.get("value", "") == taint.get("value", ""))
        for each in program.tolerations
    )


def _labels(node: Node) -> Mapping[str, str]:
    return node["metadata"].get("labels") or {}


def _host(node: Node) -> str:
    return _labels(node).get(HOSTNAME, str(node["metadata"]["name"]))
