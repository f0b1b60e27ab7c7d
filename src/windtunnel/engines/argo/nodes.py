"""A workflow's nodes, which are the parts of its graph: read, and changed, however Argo keeps them."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
from collections.abc import Callable, Mapping
from typing import Any

from windtunnel.backends.kubernetes.api import CONFLICT, Cluster, Refused
from windtunnel.engines.argo.cells import task_name
from windtunnel.engines.argo.labels import CLIENTS
from windtunnel.engines.argo.workflow import path, read
from windtunnel.errors import PlatformError

Node = Mapping[str, Any]
_TRIES = 10
"""How often a change of nodes is tried that somebody else's change came before."""


def nodes_of(workflow: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a workflow's nodes, also those that Argo keeps compressed; none of those that it has in a database."""
    return list(_by_id(workflow.get("status") or {}).values())


def clients_of(workflow: dict[str, Any], cell: int | None) -> list[dict[str, Any]]:
    """Return the nodes of what makes the clients' pods, of a matrix that of a cell."""
    found = [node for node in nodes_of(workflow) if node.get("displayName") == CLIENTS]
    if cell is None:
        return found
    return [node for node in found if str(node.get("name")).endswith(f".{task_name(cell)}.{CLIENTS}")]


def pods_in(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a workflow's nodes that are pods, or were to be."""
    return [node for node in nodes_of(workflow) if node.get("type") == "Pod"]


def change_nodes(
    cluster: Cluster, name: str, find_changes: Callable[[list[dict[str, Any]]], Mapping[str, Node | None]]
) -> None:
    """Change some of a workflow's nodes; nothing happens where they are so already.

    Argo may compress the nodes of a workflow at any moment, as it grows. What is written beside compressed nodes, Argo
    would take for all that there are, and begin the workflow again: so they are changed as they were read, or not.

    Args:
        cluster: The workflow's cluster.
        name: The workflow's name.
        find_changes: Given the nodes, returns by their ids what is to be in them beside what is, or None in the place
            of one that is to go.

    Raises:
        PlatformError: The API refuses, or others change the workflow again and again.
    """
    for _try in range(_TRIES):
        workflow = read(cluster, name)
        status = workflow.get("status") or {}
        before = _by_id(status)
        changes = find_changes(list(before.values()))
        after = _changed(before, changes)
        if after == before:
            return
        changed = {"nodes": dict(changes)} if status.get("nodes") else {"compressedNodes": _packed(after)}
        as_read = {"resourceVersion": workflow["metadata"]["resourceVersion"]}
        try:
            cluster.call("PATCH", path(cluster, "workflows", name), {"metadata": as_read, "status": changed})
        except Refused as error:
            if error.status != CONFLICT:
                raise error.to_error(f"workflow {name}") from None
        else:
            return
    raise PlatformError(f"workflow {name}: others changed it each time that its nodes were to be")


def explain(cluster: Cluster, name: str, words: str) -> None:
    """Have a workflow say why it failed, if it can be: Argo has no words for a DAG, and keeps those that its node has.

    One who means to change the workflow once more does so after this: Argo's controller may forget a change of nodes
    that came while it wrote them itself, until it hears of the next change. The driver says it, and `finish` again.
    """

    def find_changes(nodes: list[dict[str, Any]]) -> dict[str, Node]:
        return {name: {"message": words}} if any(node.get("id") == name for node in nodes) else {}

    with contextlib.suppress(PlatformError):  # the parts that failed say it too
        change_nodes(cluster, name, find_changes)


def _by_id(status: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the nodes of a status as Argo's controller finds them."""
    packed = status.get("compressedNodes")
    return dict(status.get("nodes") or (json.loads(gzip.decompress(base64.b64decode(packed))) if packed else {}))


def _packed(nodes: Mapping[str, Node]) -> str:
    return base64.b64encode(gzip.compress(json.dumps(nodes).encode(), mtime=0)).decode("ascii")


def _changed(nodes: Mapping[str, Node], changes: Mapping[str, Node | None]) -> dict[str, Node]:
    found = dict(nodes)
    for ident, change in changes.items():
        if change is None:
            found.pop(ident, None)
        else:
            found[ident] = {**found.get(ident, {}), **change}
    return found
