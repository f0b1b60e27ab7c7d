"""What holds for any graph of services."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.errors import PlanError
from windtunnel.plan import Plan, Probe, Program, Readiness, Service

Graph = dict[str, list[str]]


@st.composite
def acyclic_graphs(draw: st.DrawFn) -> Graph:
    """Return services with their needs, each only what stands before it, then shuffled."""
    size = draw(st.integers(1, 8))
    names = [f"s{index}" for index in range(size)]
    needs = {
        name: draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else []
        for index, name in enumerate(names)
    }
    return {name: needs[name] for name in draw(st.permutations(names))}


def plan(graph: Graph) -> Plan:
    """Return a plan of services with these needs."""
    ready = Readiness(probe=Probe(kind="tcp"), within=1.0)
    steps = tuple(
        Service(name=name, program=Program(command=("serve",)), ready=ready, needs=tuple(needs))
        for name, needs in graph.items()
    )
    return Plan(benchmark="b", strategy="client-server", timeout=1.0, steps=steps)


def closure(graph: Graph, name: str) -> set[str]:
    """Return what `name` needs, also indirectly, the slow way."""
    found = set(graph[name])
    return found.union(*(closure(graph, need) for need in graph[name]))


@given(acyclic_graphs())
def test_any_acyclic_graph_is_a_plan_in_order(graph: Graph) -> None:
    """Each service comes once, after all that it needs."""
    order = [step.name for step in plan(graph).order()]
    assert sorted(order) == sorted(graph)
    assert all(order.index(need) < order.index(name) for name, needs in graph.items() for need in needs)


@given(acyclic_graphs())
def test_all_needs_are_the_transitive_closure(graph: Graph) -> None:
    """Nothing that is needed is forgotten, and nothing is added."""
    made = plan(graph)
    assert {name: made.all_needs(name) for name in graph} == {name: closure(graph, name) for name in graph}


@given(acyclic_graphs(), st.data())
def test_any_circle_is_refused(graph: Graph, data: st.DataObject) -> None:
    """A graph in which a service needs what needs it is no plan, and the message has the circle."""
    first = data.draw(st.sampled_from(sorted(graph)))
    last = data.draw(st.sampled_from(sorted(closure(graph, first) | {first})))
    graph[last] = [*graph[last], first]
    with pytest.raises(PlanError, match="in a circle: ") as refusal:
        plan(graph)
    circle = refusal.value.message.partition("circle: ")[2].split(" -> ")
    assert circle[0] == circle[-1]
    assert last in circle


@given(acyclic_graphs(), st.data())
def test_any_unknown_need_is_refused(graph: Graph, data: st.DataObject) -> None:
    """A need that no step is called by is named, with the step that has it."""
    name = data.draw(st.sampled_from(sorted(graph)))
    graph[name] = [*graph[name], "nobody"]
    with pytest.raises(PlanError, match=f"step '{name}' needs 'nobody', which does not exist"):
        plan(graph)
