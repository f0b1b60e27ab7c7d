"""A cluster for tests: images of the test programs on its nodes, and what it holds, counted from outside."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from cluster import docker as nodes
from cluster import images as cluster_images
from cluster import kubeconfig, places
from support import docker_lab, kubernetes_api
from support.needs import lacking
from windtunnel.backends import make_backend

KINDS = {
    "Pod": "/api/v1/pods",
    "Service": "/api/v1/services",
    "ConfigMap": "/api/v1/configmaps",
    "Secret": "/api/v1/secrets",
    "Job": "/apis/batch/v1/jobs",
    "Lease": "/apis/coordination.k8s.io/v1/leases",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/networkpolicies",
}
"""What runs have, and where the API lists it."""
KUBECTL = str(places.kubectl() or "kubectl")
LEASE_SECONDS = 6
"""What the tests' drivers have: a run may outlive its driver by that, and half a minute."""


@cache
def need_kubernetes() -> None:
    """Skip the test without a cluster; fail it if ``WINDTUNNEL_REQUIRE`` asks for one."""
    if reason := make_backend("kubernetes").available():
        lacking(f"kubernetes: {reason}", "kubernetes")


@cache
def image(target: str = "plain") -> str:
    """Return the name of the tests' image, which the cluster's nodes have."""
    need_kubernetes()
    name = docker_lab.image(target)
    if not kubeconfig.is_set():
        # A cluster of somebody's own: how it gets images is theirs to say.
        return name
    with docker_lab.docker_client() as client:
        ident = client.images.get(name).id
    # Tests that run beside each other want the same image; one of them brings it.
    with places.locked("images"):
        if lacking_it := [worker for worker in worker_names() if not has_image(worker, name)]:
            cluster_images.load_into(lacking_it, {name: ident}, lambda _line: None)
    return name


def need_project_images() -> None:
    """Skip the test if the nodes lack the project's images; fail it if ``WINDTUNNEL_REQUIRE`` asks for a cluster."""
    need_kubernetes()
    for worker in worker_names() if kubeconfig.is_set() else []:
        if missing := sorted(cluster_images.PROJECT.keys() - cluster_images.loaded(worker, cluster_images.PROJECT)):
            lacking(f"kubernetes: {worker} has no image {', '.join(missing)}; make images", "kubernetes")


def has_image(worker: str, name: str) -> bool:
    """Say whether a node has an image, which is named after what is in it."""
    images = ["ctr", "-n", "k8s.io", "images", "ls", "--quiet", f"name==docker.io/library/{name}"]
    return bool(nodes.in_node(worker, images).strip())


def worker_names() -> list[str]:
    """Return the containers of the test cluster's workers."""
    found = nodes.containers()
    return [each.name.removeprefix("windtunnel-") for each in found if each.name != nodes.CONTROL_PLANE]


def kubectl(*arguments: str, text: str | None = None) -> str:
    """Run kubectl with the current context; return what it prints."""
    done = subprocess.run(
        [KUBECTL, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        input=text,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def seen_pods() -> Iterator[dict[str, dict[str, Any]]]:
    """Watch all pods with kubectl; what is lent has each by its name, as the cluster told it last, removed ones too."""
    found: dict[str, dict[str, Any]] = {}
    command = [KUBECTL, "get", "pods", "--watch", "--output", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        reader = threading.Thread(target=_read_pods, args=(watch.stdout, found))
        reader.start()
        try:
            yield found
        finally:
            watch.terminate()
            reader.join()


def _read_pods(stream: IO[str], found: dict[str, dict[str, Any]]) -> None:
    decoder, text = json.JSONDecoder(), ""
    for line in stream:
        text += line
        if line.startswith("}"):
            pod, _end = decoder.raw_decode(text)
            found[pod["metadata"]["name"]] = pod
            text = ""


def nodes_of(pods: dict[str, dict[str, Any]], run_id: str) -> dict[str, set[str]]:
    """Return the nodes on which each step of a run was, by the step's name."""
    found: dict[str, set[str]] = {}
    for name, pod in pods.items():
        step, node = pod["metadata"]["labels"].get("windtunnel.dev/step"), pod["spec"].get("nodeName")
        if step and node and salt(run_id) in name:
            found.setdefault(step, set()).add(node)
    return found


def salt(run_id: str) -> str:
    """Return what the names of a run's objects have in them."""
    return sha256(run_id.encode()).hexdigest()[:8]


def inventory(runs: Path) -> set[str]:
    """Return the objects of all runs below a folder, found by name in every namespace, whatever their labels."""
    salts = [salt(path.parent.name) for path in runs.glob("**/plan.json")]
    return {name for name in everything() if any(each in name for each in salts)}


def objects_of(run_id: str) -> set[str]:
    """Return the objects of a run, found by name, whatever their labels."""
    return {name for name in everything() if salt(run_id) in name}


def everything() -> Iterable[str]:
    """Return every object of the kinds that runs have."""
    return [f"{kind} {name}" for kind, path in KINDS.items() for name in kubernetes_api.names(path)]


def wait_empty(runs: Path, seconds: float = LEASE_SECONDS + 30.0) -> None:
    """Wait until the cluster holds nothing of the runs below a folder."""
    deadline = time.monotonic() + seconds
    while left := inventory(runs):
        assert time.monotonic() < deadline, f"still in the cluster: {left}"
        time.sleep(0.3)
