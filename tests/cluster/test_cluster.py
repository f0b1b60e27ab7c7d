"""The test cluster, as `make cluster-up` leaves it: what it promises to tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster import checks, docker, images, kubeconfig, lifecycle, places, programs, state
from cluster.kubectl import as_admin
from cluster.shell import Failed, run
from support import needs

# The first pods of a session wait for each other; nothing here takes so long on its own.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def workers() -> list[str]:
    """Return the workers of the cluster that is up."""
    try:
        docker.require()
        why = state.why_anew(docker.containers(), programs.cluster_key(), None)
    except Failed as error:
        why = str(error)
    if why:
        needs.lacking(f"no test cluster, see `make cluster-up`: {why}", "kubernetes")
    return lifecycle.worker_names()


@pytest.fixture(scope="module")
def namespace(workers: list[str]) -> Iterator[str]:
    """Make a namespace with a web server on each node."""
    with checks.namespace("windtunnel-tests") as name:
        checks.start_servers(workers, name)
        yield name


def test_nodes_are_ready_and_add_ons_available(workers: list[str]) -> None:
    """All of them, of the version that was built."""
    assert len(workers) >= 1
    assert state.ailments() == []
    versions = as_admin("get", "nodes", "--output=jsonpath={.items[*].status.nodeInfo.kubeletVersion}").split()
    assert set(versions) == {programs.version_of("kube")}


def test_a_pod_finds_and_reaches_the_service_on_another_node(workers: list[str], namespace: str) -> None:
    """By its DNS name, from each node to the next one."""
    for worker, other in checks.pairs(workers):
        assert checks.ask_server(worker, other, namespace) == other


def test_pods_keep_their_addresses_among_themselves(workers: list[str], namespace: str) -> None:
    """A server sees which pod called it, on another node too; so policies and logs can be believed."""
    worker, other = checks.pairs(workers)[0]
    address, target = (
        as_admin("get", "pod", name, f"--namespace={namespace}", "--output=jsonpath={.status.podIP}")
        for name in (worker, other)
    )
    ask = f"import urllib.request; urllib.request.urlopen('http://{target}:8080/hostname')"
    as_admin("exec", f"--namespace={namespace}", worker, "--", "python", "-c", ask)
    assert f"{address} " in as_admin("logs", f"--namespace={namespace}", other)


def test_metrics_are_answered(workers: list[str]) -> None:
    """CPU and memory of every node, which autoscalers need."""
    checks.wait_for_metrics(workers)
    assert {line.split()[0] for line in as_admin("top", "nodes", "--no-headers").splitlines()} >= set(workers)


def test_argo_runs_a_workflow(namespace: str) -> None:
    """And brings back a step's output parameter."""
    checks.begin_workflow(namespace)
    assert checks.wait_for_workflow(namespace) == "hello"


def test_the_users_context_is_this_cluster(workers: list[str]) -> None:
    """With rights for everything."""
    assert kubeconfig.is_set()
    kubectl = [str(places.binary("kubectl")), f"--context={kubeconfig.CONTEXT}"]
    assert run([*kubectl, "auth", "can-i", "*", "*", "--all-namespaces"]).strip() == "yes"
    assert set(run([*kubectl, "get", "nodes", "--output=jsonpath={.items[*].metadata.name}"]).split()) >= set(workers)


def test_the_projects_images_are_on_every_node_and_not_root(workers: list[str], namespace: str) -> None:
    """As built here last; a pod of them runs as a user with a number, so that `runAsNonRoot` is content."""
    built = images.idents()
    assert set(built) == set(images.PROJECT)
    for worker in workers:
        assert images.loaded(worker, built) == built
    assert as_admin("exec", f"--namespace={namespace}", workers[0], "--", "id", "-u").strip() == "1000"
    programs_there = as_admin("exec", f"--namespace={namespace}", workers[0], "--", "which", "uvicorn", "locust")
    assert len(programs_there.split()) == 2


def test_nodes_share_the_layers_that_are_kept(workers: list[str]) -> None:
    """A layer is one file for all of them and for the next cluster; what a node alone has taken in is its own."""
    blobs = f"{docker.IMAGES_MOUNT}/{{}}/io.containerd.content.v1.content/blobs/sha256"
    (kept, *nodes) = (
        set(docker.in_node(workers[0], ["find", blobs.format(name), "-type", "f", "-printf", "%i\\n"]).split())
        for name in ("kept", *workers)
    )
    assert all(kept & each for each in nodes)
    databases = docker.in_node(workers[0], ["sh", "-c", f"stat --format %h {docker.IMAGES_MOUNT}/kept/*/*.db"])
    assert set(databases.split()) == {"1"}
