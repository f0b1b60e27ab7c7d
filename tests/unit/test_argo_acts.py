"""The driver's acts as nodes of its workflow: without a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.kept_workflow import KeptWorkflow
from windtunnel.backends.kubernetes.api import Refused
from windtunnel.benchmark import parse
from windtunnel.engines.argo.acts import Acts, forget, node_id
from windtunnel.run.events import Event, EventType
from windtunnel.strategies import make_plan

NAME = "client-server-xvmdr"
DRIVE = f"{NAME}-1302692890"
"""What Argo 3.7.16 called the node of a driver of that workflow."""
TEXT = """spec_version = "1"
[benchmark]
name = "bench"
strategy = "client-server"
[server]
image = "server:1"
command = ["serve"]
port = 0
ready = { http = "/" }
PLACEMENT
[client]
image = "client:1"
command = ["measure"]
[run]
warmup = 1
repeats = 2
"""


class Kept(KeptWorkflow):
    """A cluster that has one workflow, with the nodes that Argo makes of its driver."""

    def __init__(self) -> None:
        nodes: dict[str, Any] = {
            NAME: {"id": NAME, "name": NAME, "type": "DAG", "children": [DRIVE]},
            DRIVE: {"id": DRIVE, "name": f"{NAME}.drive", "type": "Pod", "phase": "Running"},
        }
        super().__init__({"metadata": {"name": NAME}, "status": {"nodes": nodes}})

    def chain(self) -> list[dict[str, Any]]:
        """Return the acts as the graph has them, from the workflow's own node on."""
        (first,) = (each for each in self.nodes[NAME]["children"] if each != DRIVE)
        found = [self.nodes[first]]
        while found[-1]["children"]:
            found.append(self.nodes[found[-1]["children"][0]])
        return found


def told(kept: Kept, *events: tuple[EventType, dict[str, Any]], placement: str = "apart") -> Acts:
    """Tell of events that come half a second after each other."""
    text = TEXT.replace("PLACEMENT", f'placement = "{placement}"')
    found = Acts(kept.cluster, NAME, make_plan(parse(text, Path("bench.toml")).benchmark))
    for number, (kind, more) in enumerate(events):
        found(Event(kind, time=1_790_000_000 + number / 2, **more))
    return found


def up(step: str = "server") -> Iterator[tuple[EventType, dict[str, Any]]]:
    """Yield what is told of a service that becomes ready."""
    yield EventType.SERVICE_STARTING, {"step": step}
    yield EventType.SERVICE_STARTED, {"step": step, "data": {"host": "10.0.0.7", "port": 80}}
    yield EventType.SERVICE_READY, {"step": step}


def iteration(number: int, status: int | None = 0) -> Iterator[tuple[EventType, dict[str, Any]]]:
    """Yield what is told of an iteration."""
    yield EventType.ITERATION_STARTING, {"step": "client", "iteration": number}
    yield EventType.ITERATION_STARTED, {"step": "client", "iteration": number}
    yield EventType.ITERATION_FINISHED, {"step": "client", "iteration": number, "data": {"status": status}}


def cause(step: str | None, code: str) -> tuple[EventType, dict[str, Any]]:
    """Return what is told of what went wrong."""
    return EventType.CAUSE, {"step": step, "message": "it broke", "data": {"code": code}}


DOWN = ((EventType.SERVICE_STOPPING, {"step": "server"}), (EventType.SERVICE_STOPPED, {"step": "server"}))
OVER = (EventType.RUN_FINISHED, {"message": "failed"})


def drawn(nodes: Sequence[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Return what a person sees of nodes."""
    return [(node["displayName"], node["phase"], node["message"]) for node in nodes]


def test_the_graph_is_what_a_person_would_draw() -> None:
    """In the order in which it was done, each act below the one before it, with what came of it."""
    kept = Kept()
    told(kept, *up(), *iteration(1), *iteration(2), *iteration(3), *DOWN, OVER).show()
    chain = kept.chain()

    names = ["start server", "server is ready", "warm-up 1/1", "benchmark 1/2", "benchmark 2/2", "stop server"]
    assert drawn(chain) == [(name, "Succeeded", "") for name in names]
    outputs = [{each["name"]: each["value"] for each in node["outputs"]["parameters"]} for node in chain]
    assert outputs[0] == {"seconds": "0.500"}
    assert outputs[1] == {"address": "10.0.0.7:80", "seconds": "0.500"}
    assert {node["boundaryID"] for node in chain} == {NAME}
    assert {node["id"] for node in chain} == set(kept.nodes) - {NAME, DRIVE}


@pytest.mark.parametrize("later", list(iteration(1))[1:])
def test_acts_that_argo_forgot_are_written_again(later: tuple[EventType, dict[str, Any]]) -> None:
    """Its controller writes its own copy of the nodes where both wrote at once; a client may run for hours then."""
    kept = Kept()
    found = told(kept, *up(), next(iteration(1)))
    kept.nodes[NAME]["children"] = [DRIVE]
    for act in kept.nodes.keys() - {NAME, DRIVE}:
        del kept.nodes[act]
    kind, more = later
    found(Event(kind, time=1_790_000_010, **more))

    assert [node["displayName"] for node in kept.chain()][:2] == ["start server", "server is ready"]


def test_acts_that_begin_in_one_second_are_told_a_second_apart() -> None:
    """Argo keeps whole seconds, and shows what began in the same one by its name."""
    kept = Kept()
    told(kept, *up(), *iteration(1)).show()

    began = [node["startedAt"] for node in kept.chain()]
    assert began == sorted(set(began))
    assert all(node["finishedAt"] >= node["startedAt"] for node in kept.chain())


@pytest.mark.parametrize(
    ("events", "red"),
    [
        ([(EventType.SERVICE_STARTING, {"step": "server"}), cause("server", "image_pull")], "start server"),
        ([*list(up())[:2], cause("server", "not_ready")], "server is ready"),
        ([*up(), *iteration(1), *iteration(2, 3), cause("client", "command_failed")], "benchmark 1/2"),
        ([*up(), *iteration(1, None), cause("server", "server_died")], "warm-up 1/1"),
        ([*up(), *iteration(1), cause("server", "server_died")], "run"),
        ([cause(None, "no_warden")], "run"),
    ],
)
def test_an_act_that_failed_is_red_and_says_why(events: list[tuple[EventType, dict[str, Any]]], red: str) -> None:
    """At once: before anything is taken down."""
    kept = Kept()
    told(kept, *events)
    *others, last = drawn(kept.chain())

    assert last == (red, "Failed", f"{events[-1][1]['data']['code']}: it broke")
    assert {phase for _name, phase, _message in others} <= {"Succeeded"}
    assert kept.nodes[NAME]["message"] == last[2]


def test_a_server_in_the_clients_pod_is_no_act_of_its_own() -> None:
    """It begins and ends with that pod; that it is not ready is told when the benchmark has begun."""
    kept = Kept()
    told(kept, *up(), *list(iteration(1))[:1], cause("server", "not_ready"), *DOWN, OVER, placement="same-pod").show()

    assert drawn(kept.chain()) == [("warm-up 1/1", "Failed", "not_ready: it broke")]


def test_what_was_not_taken_down_in_order_is_red_too() -> None:
    """The run's notes have why."""
    kept = Kept()
    told(kept, *up(), DOWN[0], OVER).show()

    assert drawn(kept.chain())[-1][:2] == ("stop server", "Failed")


def test_a_workflow_whose_nodes_are_kept_elsewhere_is_left_alone() -> None:
    """Argo can keep those of a very large one in a database."""
    kept = Kept()
    kept.nodes.clear()
    told(kept, *up()).show()

    assert (kept.patches, kept.nodes) == (0, {})


def test_of_very_many_acts_the_first_are_shown_and_those_that_failed() -> None:
    """A workflow is one object of the API."""
    kept = Kept()
    told(kept, *(event for _ in range(200) for event in up()), *iteration(1, 3), cause("client", "command_failed"))

    assert len(kept.chain()) == 101
    assert kept.reads < 120
    assert drawn(kept.chain())[-1][:2] == ("warm-up 1/1", "Failed")


def test_a_graph_that_cannot_be_written_ends_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next act is tried again."""

    def refuse(*_arguments: object) -> None:
        raise Refused(500, "etcd is away")

    kept = Kept()
    with monkeypatch.context() as patched:
        patched.setattr(kept, "call", refuse)
        found = told(kept, *up())
    found.show()

    assert [node["displayName"] for node in kept.chain()] == ["start server", "server is ready"]


def test_the_acts_of_an_older_run_are_taken_out() -> None:
    """Argo begins some of a workflow's nodes again with it, and would wait for acts for ever."""
    kept = Kept()
    told(kept, *up()).show()
    forget(kept.cluster, NAME)

    assert set(kept.nodes) == {NAME, DRIVE}
    assert kept.nodes[NAME]["children"] == [DRIVE]
    patches = kept.patches
    forget(kept.cluster, NAME)
    assert kept.patches == patches


def test_the_ids_of_acts_are_made_as_argo_makes_those_of_nodes() -> None:
    """By an id Argo finds a node whose name it knows."""
    assert node_id(NAME, f"{NAME}.drive") == DRIVE


def test_the_acts_of_a_matrixs_run_are_below_its_part_of_the_workflow() -> None:
    """Those of another run stay, when they are forgotten too."""
    kept = Kept()
    plan = make_plan(parse(TEXT.replace("PLACEMENT", ""), Path("bench.toml")).benchmark)
    kept.nodes[NAME]["children"] = ["part-1", "part-2"]
    for cell in (1, 2):
        part = {"name": f"{NAME}.run-{cell}", "type": "DAG", "children": [f"{DRIVE}-{cell}"]}
        kept.nodes[f"part-{cell}"] = part | {"id": f"part-{cell}"}
        acts = Acts(kept.cluster, NAME, plan, cell)
        for number, (kind, more) in enumerate(up()):
            acts(Event(kind, time=1_790_000_000 + number, **more))
    shown = {node["boundaryID"] for node in kept.nodes.values() if "boundaryID" in node}
    first, second = (kept.nodes[f"part-{cell}"]["children"] for cell in (1, 2))

    assert shown == {"part-1", "part-2"}
    assert first[0] == f"{DRIVE}-1"
    assert kept.nodes[first[1]]["displayName"] == kept.nodes[second[1]]["displayName"] == "start server"
    assert kept.nodes[NAME]["children"] == ["part-1", "part-2"]
    forget(kept.cluster, NAME, 2)
    assert kept.nodes["part-2"]["children"] == [f"{DRIVE}-2"]
    assert first[1] in kept.nodes
    assert second[1] not in kept.nodes
