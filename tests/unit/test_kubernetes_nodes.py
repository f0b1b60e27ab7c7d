"""Which node servers leave to their client, and which zone a run keeps to, for clusters of all shapes."""

from __future__ import annotations

from typing import Any

import pytest

from windtunnel.backends.kubernetes.affinity import HOSTNAME, ZONE
from windtunnel.backends.kubernetes.nodes import SchedulingHints, choose_hints, has_choice
from windtunnel.plan import Job, Plan, Probe, Program, Readiness, Service

READY = Readiness(probe=Probe(kind="tcp"), within=5)
TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}


def node(name: str, zone: str | None = None, **spec: Any) -> dict[str, Any]:
    """Return a node as the API tells it."""
    labels = {HOSTNAME: name, "disk": "ssd" if name in "ab" else "hdd"} | ({ZONE: zone} if zone else {})
    return {"metadata": {"name": name, "labels": labels}, "spec": spec}


def plan(
    *servers: dict[str, Any], client: dict[str, Any] | None = None, server_program: dict[str, Any] | None = None
) -> Plan:
    """Return a plan of some servers, each with what is special of it, and a client."""
    program = Program(command=("serve",), **(server_program or {}))
    common: dict[str, Any] = {"program": program, "ready": READY, "port": 80}
    steps = [Service(name=f"server-{number}", **common, **each) for number, each in enumerate(servers)]
    needs = tuple(step.name for step in steps)
    job = Job(name="client", program=Program(command=("measure",), **(client or {})), needs=needs)
    return Plan(benchmark="bench", strategy="client-server", timeout=60, steps=(*steps, job))


@pytest.mark.parametrize(
    ("given", "nodes", "kept"),
    [
        (plan({"replicas": 3}), "ab", "a"),
        (plan({"replicas": 3}), "abcd", None),
        (plan({"replicas": 3}), "abc", "a"),
        (plan({}, {}), "ab", "a"),
        (plan({}, {"placement": "any"}), "ab", None),
        (plan({"replicas": 3, "placement": "any"}), "ab", None),
        (plan({"replicas": 3}), "a", None),
        (plan({"replicas": 3}, client={"node_selector": {"disk": "hdd"}}), "abc", "c"),
        (plan({"replicas": 3}, server_program={"node_selector": {"disk": "hdd"}}), "abc", None),
        (plan({"replicas": 3}, server_program={"node_selector": {"disk": "ssd"}}), "ab", "a"),
    ],
)
def test_servers_leave_a_node_to_their_client_if_they_could_take_all(given: Plan, nodes: str, kept: str | None) -> None:
    """Not if there are more nodes than pods, nor if they can do with no other, nor if the client has its own."""
    assert choose_hints(given, [node(name) for name in nodes]) == SchedulingHints(None, kept)


@pytest.mark.parametrize(
    ("spec", "tolerations", "kept"),
    [
        ({"unschedulable": True}, [], "a"),
        ({"taints": [TAINT]}, [], "a"),
        ({"taints": [TAINT]}, [{"operator": "Exists"}], None),
        ({"taints": [TAINT]}, [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}], None),
        ({"taints": [TAINT]}, [{"key": "gpu", "value": "yes"}], None),
        ({"taints": [TAINT]}, [{"key": "gpu", "value": "no"}], "a"),
        ({"taints": [TAINT | {"effect": "PreferNoSchedule"}]}, [], None),
    ],
)
def test_only_nodes_that_take_the_client_count(
    spec: dict[str, Any], tolerations: list[dict[str, Any]], kept: str | None
) -> None:
    """A node that is drained or tainted is none for it, unless it tolerates that."""
    given = plan({"replicas": 2}, client={"tolerations": tuple(tolerations)})
    nodes = [node("a"), node("b"), node("c", **spec)]

    assert choose_hints(given, nodes).kept == kept


def test_a_run_keeps_to_the_zone_with_the_most_nodes() -> None:
    """Of those that suit all of its steps; within it, a node is kept for the client."""
    nodes = [node("a", "east"), node("b", "west"), node("c", "west"), node("d", "west", unschedulable=True)]

    assert choose_hints(plan({"replicas": 2}), nodes) == SchedulingHints("west", "b")
    assert choose_hints(plan({"replicas": 2}, client={"node_selector": {"disk": "ssd"}}), nodes).zone == "east"


def test_a_zone_that_the_user_chose_is_theirs() -> None:
    """Nobody else chooses one then."""
    nodes = [node("a", "east"), node("b", "west"), node("c", "west")]
    given = plan({"replicas": 2}, server_program={"node_selector": {ZONE: "east"}})

    assert choose_hints(given, nodes).zone is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (plan({}), False),
        (plan({"placement": "same-pod"}, {}), False),
        (plan({"replicas": 2}), True),
        (plan({}, {}), True),
    ],
)
def test_nodes_are_looked_at_only_if_it_matters(given: Plan, *, expected: bool) -> None:
    """One server's pod always leaves the other nodes free."""
    assert has_choice(given) is expected
