"""What a cluster tells of itself: its version, the nodes that a run used, the images that it ran."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from windtunnel.backends.kubernetes.affinity import ZONE
from windtunnel.backends.kubernetes.api import Cluster, Refused
from windtunnel.backends.kubernetes.task import PodTask
from windtunnel.plan import Program

_LABELS = (ZONE, "topology.kubernetes.io/region", "node.kubernetes.io/instance-type")


class Facts:
    """Gathers what is to be known of where a run was.

    Args:
        cluster: The cluster.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._nodes: dict[str, Mapping[str, Any]] = {}
        self._images: dict[str, dict[str, str]] = {}
        self._places: dict[str, list[str]] = {}
        self._programs: dict[str, Program] = {}

    def zone(self, node: str) -> str | None:
        """Return a node's zone, or None if it has none, or nobody may know."""
        return self._labels(node).get(ZONE)

    def architecture(self, node: str) -> str | None:
        """Return what a node runs programs for, or None if nobody may know."""
        architecture = self._node(node).get("status", {}).get("nodeInfo", {}).get("architecture")
        return str(architecture) if architecture else None

    def note(self, tasks: Iterable[PodTask]) -> None:
        """Note what tasks that were started run on."""
        for task in tasks:
            name, status = task.unit.step.name, task.view.container(task.container)
            if status.get("imageID"):
                self._images[name] = {"name": status["image"], "id": status["imageID"]}
            places = self._places.setdefault(name, [])
            if task.view.node and task.view.node not in places:
                places.append(task.view.node)
            self._programs[name] = task.unit.program

    def to_json(self, hosts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Return all of it; `hosts` is what was seen of nodes from within, by their names."""
        found: dict[str, Any] = {
            "kubernetes": {
                "context": self._cluster.context,
                "namespace": self._cluster.namespace,
                "version": self._version,
            }
        }
        if self._places:
            found |= {
                "nodes": {name: self._describe(name) | dict(hosts.get(name, {})) for name in self._used()},
                "images": self._images,
                "steps": {
                    step: {
                        "nodes": nodes,
                        "requested": {"cpu": self._programs[step].cpu, "memory": self._programs[step].memory},
                    }
                    for step, nodes in self._places.items()
                },
            }
        return found

    @cached_property
    def _version(self) -> str | None:
        version: str | None = self._cluster.call("GET", "/version").get("gitVersion")
        return version

    def _used(self) -> list[str]:
        return sorted({node for nodes in self._places.values() for node in nodes})

    def _labels(self, node: str) -> Mapping[str, str]:
        return self._node(node).get("metadata", {}).get("labels") or {}

    def _describe(self, name: str) -> dict[str, Any]:
        node = self._node(name)
        info = node.get("status", {}).get("nodeInfo", {})
        capacity = node.get("status", {}).get("capacity", {})
        return {
            "kubelet": info.get("kubeletVersion"),
            "runtime": info.get("containerRuntimeVersion"),
            "system": info.get("osImage"),
            "kernel": info.get("kernelVersion"),
            "capacity": {key: capacity[key] for key in ("cpu", "memory") if key in capacity},
            "labels": {key: value for key, value in self._labels(name).items() if key in _LABELS},
        }

    def _node(self, name: str) -> Mapping[str, Any]:
        """Return a node; nothing if this user may not look at nodes."""
        if name not in self._nodes:
            try:
                self._nodes[name] = self._cluster.call("GET", f"/api/v1/nodes/{name}")
            except Refused:
                self._nodes[name] = {}
        return self._nodes[name]
