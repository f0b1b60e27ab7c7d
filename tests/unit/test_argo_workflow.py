"""What a workflow says of itself is read also where Argo has compressed it."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from windtunnel.engines.argo.workflow import clients_of, nodes_of, plain_nodes_of, pods_in

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


def test_compressed_nodes_cannot_be_changed() -> None:
    """A change of one would take the place of all."""
    assert plain_nodes_of(compressed()) == []
