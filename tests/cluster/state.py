"""What there is of a cluster, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cluster import docker, places, programs
from cluster.docker import CONTROL_PLANE, Container
from cluster.kubectl import as_admin
from cluster.shell import Failed

DEPLOYMENTS = {"coredns": "kube-system", "metrics-server": "kube-system", "workflow-controller": "argo"}
"""The add-ons: name and namespace."""


def why_anew(found: Sequence[Container], key: str, nodes: int | None) -> str | None:
    """Say why what is there can't stay and be used; None if it can.

    Args:
        found: The containers that there are, of any cluster of ours.
        key: The key of the cluster that is wanted.
        nodes: The number of workers that is wanted; None if any will do.
    """
    if not found:
        return "there is no cluster"
    if others := {each.key for each in found} - {key}:
        return f"it is from another recipe or other versions ({', '.join(sorted(others))}; now {key})"
    wanted = found[0].nodes
    if nodes is not None and nodes != wanted:
        return f"it has {workers(wanted)}, and {nodes} are asked for"
    if stopped := [each.name for each in found if not each.running]:
        return f"it is half up: {', '.join(stopped)} stopped"
    names = {CONTROL_PLANE, *(f"windtunnel-node{number}" for number in range(1, wanted + 1))}
    if missing := sorted(names - {each.name for each in found}):
        return f"it is half up: {', '.join(missing)} missing"
    return None


def workers(count: int) -> str:
    """Say how many."""
    return f"{count} worker" + ("" if count == 1 else "s")


def ailments() -> list[str]:
    """Say what does not work in a cluster whose containers run; nothing of it is waited for."""
    try:
        as_admin("get", "--raw", "/readyz", timeout=5)
        nodes = json.loads(as_admin("get", "nodes", "--output=json", timeout=5))
        deployments = json.loads(as_admin("get", "deployments", "--all-namespaces", "--output=json", timeout=5))
        service = json.loads(as_admin("get", "apiservice", "v1beta1.metrics.k8s.io", "--output=json", timeout=5))
    except Failed as error:
        return [str(error).splitlines()[-1].strip()]
    count = next(each.nodes for each in docker.containers())
    return [*sick_nodes(nodes, count), *sick_deployments(deployments), *sick_service(service)]


def sick_nodes(listed: dict[str, Any], count: int) -> list[str]:
    """Name the workers that are not Ready, of a list of nodes."""
    ready = {each["metadata"]["name"] for each in listed["items"] if is_true(each, "Ready")}
    return [f"node{number} is not Ready" for number in range(1, count + 1) if f"node{number}" not in ready]


def sick_deployments(listed: dict[str, Any]) -> list[str]:
    """Name the add-ons that are not Available, of a list of deployments."""
    found = [each["metadata"] for each in listed["items"] if is_true(each, "Available")]
    able = {(each["namespace"], each["name"]) for each in found}
    return [f"{name} is not available" for name, namespace in DEPLOYMENTS.items() if (namespace, name) not in able]


def sick_service(service: dict[str, Any]) -> list[str]:
    """Say whether metrics are not answered."""
    return [] if is_true(service, "Available") else ["metrics.k8s.io does not answer"]


def is_true(thing: dict[str, Any], condition: str) -> bool:
    """Say whether a condition of a Kubernetes object holds."""
    conditions = thing.get("status", {}).get("conditions", [])
    return any(each["type"] == condition and each["status"] == "True" for each in conditions)


def reason(nodes: int | None) -> str | None:
    """Say why the cluster has to be made anew; None if it works as it is."""
    if anew := why_anew(docker.containers(), programs.cluster_key(), nodes):
        return anew
    if not places.checked().is_file():
        return "its start was cut short, or did not pass the checks"
    return "; ".join(ailments()) or None
