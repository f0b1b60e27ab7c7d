"""The parts of a workflow's graph are read and changed also where Argo has compressed them."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from support.kept_workflow import KeptWorkflow
from windtunnel.backends.kubernetes.api import Refused
from windtunnel.engines.argo.nodes import change_nodes, clients_of, explain, nodes_of, pods_in
from windtunnel.errors import PlatformError

NODES = {
    "wf": {"id": "wf", "name": "wf", "type": "DAG"},
    "wf-1": {"id": "wf-1", "name": "wf.clients", "displayName": "clients", "type": "Steps"},
    "wf-2": {"id": "wf-2", "name": "wf.clients[0].client(0:1)", "displayName": "client(0:1)", "type": "Pod"},
}


def compressed() -> dict[str, Any]:
    """Return a workflow's status as Argo's controller writes that of a large one."""
    packed = base64.b64encode(gzip.compress(json.dumps(NODES).encode())).decode()
    return {"status": {"phase": "Running", "compressedNodes": packed}}


@pytest.mark.parametrize("workflow", [{"status": {"nodes": NODES}}, compressed()], ids=["plain", "compressed"])
def test_the_nodes_of_a_workflow_are_read_however_argo_keeps_them(workflow: dict[str, Any]) -> None:
    """All of them, and those of its parts."""
    assert nodes_of(workflow) == list(NODES.values())
    assert [node["id"] for node in pods_in(workflow)] == ["wf-2"]
    assert [node["id"] for node in clients_of(workflow, None)] == ["wf-1"]


@pytest.mark.parametrize("workflow", [{}, {"status": None}, {"status": {"offloadNodeStatusVersion": "fnv:1"}}])
def test_a_workflow_without_nodes_has_none(workflow: dict[str, Any]) -> None:
    """One that has not begun, or whose nodes are in a database."""
    assert nodes_of(workflow) == []


@pytest.mark.parametrize("status", [{"nodes": NODES}, compressed()["status"]], ids=["plain", "compressed"])
def test_nodes_are_changed_however_argo_keeps_them(status: dict[str, Any]) -> None:
    """One gets more, one goes, one is new, and the rest is as it was; Argo finds all of them in one place."""
    kept = KeptWorkflow({"metadata": {"name": "wf"}, "status": status})
    new = {"id": "wf-3", "name": "wf.acts.0", "type": "Suspend"}
    change_nodes(kept.cluster, "wf", lambda _nodes: {"wf": {"message": "it broke"}, "wf-2": None, "wf-3": new})

    assert nodes_of(kept.workflow) == [NODES["wf"] | {"message": "it broke"}, NODES["wf-1"], new]
    assert len({"nodes", "compressedNodes"} & kept.workflow["status"].keys()) == 1


def test_what_nodes_have_already_is_not_written() -> None:
    """Argo would look at the workflow once more."""
    kept = KeptWorkflow({"metadata": {"name": "wf"}, **compressed()})
    for _time in range(2):
        explain(kept.cluster, "wf", "it broke")
    assert kept.patches == 1


class Growing(KeptWorkflow):
    """A workflow whose nodes Argo compresses between a read and the change that comes of it.

    Args:
        times: How often Argo changes it.
    """

    def __init__(self, times: int) -> None:
        super().__init__({"metadata": {"name": "wf"}, "status": {"nodes": NODES}})
        self.times = times

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Read it, and compress it then, or patch it."""
        found = super().call(method, path, body)
        if method == "GET" and self.times:
            self.times -= 1
            super().call("PATCH", path, {"status": compressed()["status"] | {"nodes": None, "n": self.times}})
        return found


def test_nodes_that_argo_compresses_meanwhile_are_all_there() -> None:
    """It would take what is written beside them for all that there are."""
    kept = Growing(1)
    explain(kept.cluster, "wf", "it broke")

    assert "nodes" not in kept.workflow["status"]
    assert nodes_of(kept.workflow) == [NODES["wf"] | {"message": "it broke"}, NODES["wf-1"], NODES["wf-2"]]


def test_nodes_that_others_change_again_and_again_are_left_alone() -> None:
    """It is told, and nothing hangs."""
    kept = Growing(1000)
    with pytest.raises(PlatformError, match="others changed it"):
        change_nodes(kept.cluster, "wf", lambda _nodes: {"wf": {"message": "it broke"}})
    assert nodes_of(kept.workflow) == list(NODES.values())


def test_a_change_that_the_api_refuses_is_told() -> None:
    """As any refusal is."""

    class Refusing(KeptWorkflow):
        def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
            if method == "PATCH":
                raise Refused(413, "request entity too large")
            return super().call(method, path, body)

    kept = Refusing({"metadata": {"name": "wf"}, "status": {"nodes": NODES}})
    with pytest.raises(PlatformError, match="too large"):
        change_nodes(kept.cluster, "wf", lambda _nodes: {"wf": {"message": "it broke"}})
