"""Volume claims for tests: each is bound to a folder of one of the test cluster's nodes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from cluster import docker as nodes
from cluster import kubeconfig
from support import kubernetes_api
from support.kubernetes_lab import image, kubectl, worker_names
from support.needs import lacking


@dataclass(frozen=True)
class Claim:
    """A claim whose volume is a folder of one of the test cluster's nodes.

    Attributes:
        name: The claim's name.
        node: The node.
        folder: The folder there.
    """

    name: str
    node: str
    folder: str

    @property
    def store(self) -> str:
        """A folder of it, as a benchmark names it."""
        return f"pvc://{self.name}/nightly"

    def sums(self) -> dict[str, str]:
        """Return the SHA-256 of every file below that folder, by its path; none before the first run."""
        script = f"cd {self.folder}/nightly 2>/dev/null || exit 0; find . -type f -exec sha256sum {{}} +"
        lines = self.run(script).splitlines()
        return {path.removeprefix("./"): digest for digest, path in (line.split("  ", 1) for line in lines)}

    def read(self, path: str) -> str:
        """Return what a file has."""
        return self.run(f"cat {self.folder}/nightly/{path}")

    def run(self, script: str) -> str:
        """Run a shell script on the node."""
        return nodes.in_node(self.node, ["sh", "-ec", script])


@contextmanager
def volume(mode: str, namespace: str | None = None) -> Iterator[Claim]:
    """Lend a claim that is bound to a folder, owned by root, with these rights; in the context's namespace if None."""
    image()
    if not kubeconfig.is_set():
        lacking("kubernetes: only the test cluster's nodes have folders for volumes", "kubernetes")
    name, node = f"windtunnel-tests-{uuid4().hex[:8]}", worker_names()[0]
    claim = Claim(name, node, f"/var/lib/{name}")
    claim.run(f"mkdir {claim.folder} && chmod {mode} {claim.folder}")
    size, place = {"storage": "1Gi"}, ("--namespace", namespace or kubernetes_api.namespace())
    on_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    made: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": size,
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": name,
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": claim.folder},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_node]}]}},
        },
    }
    try:
        kubectl("create", "--filename", "-", text=json.dumps(made))
        kubectl("create", *place, "--filename", "-", text=json.dumps(request_for(name)))
        kubectl("wait", *place, f"pvc/{name}", "--for=jsonpath={.status.phase}=Bound", "--timeout=60s")
        yield claim
    finally:
        kubectl("delete", *place, f"pvc/{name}", f"pv/{name}", "--ignore-not-found")
        claim.run(f"rm -rf {claim.folder}")


def request_for(name: str) -> dict[str, Any]:
    """Return a claim for a volume of a class of its own."""
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": name, "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}
