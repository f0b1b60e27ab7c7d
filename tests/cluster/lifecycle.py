"""Up and down: from nothing, from half a cluster, from another one."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from cluster import build, checks, docker, images, kept, keys, kubeconfig, places, programs, state
from cluster.docker import Node
from cluster.kubectl import apply, as_admin, filled
from cluster.shell import Failed, run, tail, wait_until

DEFAULT_NODES = 2


def up(nodes: int | None, say: Callable[[str], None]) -> None:
    """Bring the cluster to where it works, with the project's images and the user's context.

    Args:
        nodes: The number of workers; None keeps what there is.
        say: Takes the lines that tell how far it is.

    Raises:
        Failed: It does not come up, or a check fails; what there is stays, to be looked at.
    """
    start = time.monotonic()
    docker.require()
    with places.locked("cluster"):
        # The images wait for packages most of the time, and the programs need the cores.
        with ThreadPoolExecutor() as pool:
            building = pool.submit(images.build_project, say)
            build.build(say)
            building.result()
        anew = state.reason(nodes)
        if anew:
            say(f"making the cluster anew: {anew}")
            create(nodes or size() or DEFAULT_NODES, say)
        workers = worker_names()
        images.load(workers, say)
        if not kubeconfig.is_set():
            kubeconfig.set_context()
            say(f"kubectl's context is {kubeconfig.CONTEXT}")
        if anew:
            install_windtunnel(say)
            checks.verify(workers, say)
            places.checked().touch()
            say(f"up: {state.workers(len(workers))}, checked, in {time.monotonic() - start:.0f} s")
        else:
            say(f"up and healthy already: {state.workers(len(workers))}; nothing to make anew")


def down(say: Callable[[str], None]) -> None:
    """Remove the containers, their data, the network, the keys and the context; what was built stays in the cache."""
    docker.require()
    with places.locked("cluster"):
        there = docker.containers()
        docker.remove_all()
        shutil.rmtree(places.state(), ignore_errors=True)
        kubeconfig.remove_context()
    say(f"down: {len(there)} containers removed" if there else "down: there was no cluster")


def create(workers: int, say: Callable[[str], None]) -> None:
    """Make a cluster from nothing; whatever there was goes first.

    Raises:
        Failed: Something does not come up; the message has the nodes' logs.
    """
    docker.remove_all()
    images.build_node(say)
    images.build_add_ons(say)
    kept.provide(mounts(), say)
    network = docker.create_network(programs.cluster_key())
    nodes = [Node(number, network, workers) for number in range(workers + 1)]
    keys.make(nodes)
    try:
        start_nodes(nodes)
        # The add-ons wait more than they work, so the nodes take in the images meanwhile.
        with ThreadPoolExecutor() as pool:
            loading = pool.submit(images.load, [node.name for node in nodes[1:]], say)
            say("the API server answers")
            for node in nodes[1:]:
                register(node)
            install_add_ons()
            wait_for_add_ons()
            say("the nodes are Ready and the add-ons available")
            loading.result()
    except Failed as error:
        raise Failed(f"{error}\n{logs(nodes)}") from error


def start_nodes(nodes: Sequence[Node]) -> None:
    """Start the containers, the control plane first, and wait for the API."""
    for node in nodes:
        labels = {docker.LABEL: programs.cluster_key(), docker.NODES_LABEL: str(node.workers)}
        docker.start_node(node, images.node_image(), mounts() | {kept.volume(): docker.IMAGES_MOUNT}, labels)
    wait_until("the API server is ready", answers, 120)


def mounts() -> dict[str, str]:
    """Return what a node's container reads of this machine."""
    return {
        str(places.binary("")): "/cluster/bin",
        str(places.state()): "/cluster/state",
        str(images.add_ons_archive().parent): "/cluster/images",
        "/lib/modules": "/lib/modules",
    }


def answers() -> bool:
    """Say whether the API server is ready."""
    try:
        as_admin("get", "--raw", "/readyz", timeout=5)
    except Failed:
        return False
    return True


def register(node: Node) -> None:
    """Make a worker known with its pods' addresses, which its script has given to its network already.

    Left to the controllers, the ranges would be given out in the order in which the nodes come.
    """
    spec = {"podCIDR": node.pods, "podCIDRs": [node.pods]}
    apply(json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node.name}, "spec": spec}))


def install_add_ons() -> None:
    """Apply the manifests; Argo's are rendered from its authors' own."""
    apply(filled("manifests/basics.yaml"))
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(build.argo_manifests(), Path(folder) / "argo")
        (Path(folder) / "kustomization.yaml").write_text(filled("manifests/argo-kustomization.yaml"))
        argo = as_admin("kustomize", folder)
    for manifest in (filled("manifests/coredns.yaml"), filled("manifests/metrics-server.yaml"), argo):
        apply(manifest)


def wait_for_add_ons() -> None:
    """Wait for every node and add-on."""
    as_admin("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=240s", timeout=250)
    for name, namespace in state.DEPLOYMENTS.items():
        as_admin("rollout", "status", f"deployment/{name}", f"--namespace={namespace}", "--timeout=240s", timeout=250)
    wait_until("the nodes and the add-ons work", lambda: not state.ailments(), 120)


def size() -> int:
    """Return how many workers the cluster has, or had when it was whole."""
    return max((each.nodes for each in docker.containers()), default=0)


def worker_names() -> list[str]:
    """Return the names of the workers that run."""
    return [each.name.removeprefix("windtunnel-") for each in docker.containers() if each.name != docker.CONTROL_PLANE]


def install_windtunnel(say: Callable[[str], None]) -> None:
    """Let Windtunnel put into the cluster what it needs there, if this version of it needs anything."""
    windtunnel = [sys.executable, "-m", "windtunnel", "install"]
    try:
        kinds = run([*windtunnel, "--help"])
    except Failed:
        return
    # The latter's rights have those of the former.
    for kind in ("argo", "kubernetes"):
        if kind in kinds:
            run([*windtunnel, kind], timeout=300)
            say(f"windtunnel install {kind}: done")
            return


def logs(nodes: Sequence[Node]) -> str:
    """Return the last lines of each program of each node."""
    found = []
    for node in nodes:
        with suppress(Failed):
            lines = docker.in_node(node.name, ["sh", "-c", "cd /var/log && tail -v -n3 *.log"])
            found.append(f"  {node.name}:\n{tail(lines, 40)}")
    return "\n".join(found)
