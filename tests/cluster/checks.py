"""What a cluster has to do before it is called up. The tests assert the same, one by one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from cluster.kubectl import apply, as_admin, filled
from cluster.shell import Failed, wait_until

_ASK = """\
import socket, sys, urllib.request
name = sys.argv[1]
print(socket.gethostbyname(name), urllib.request.urlopen(f"http://{name}/hostname", timeout=10).read().decode())
"""


def verify(workers: Sequence[str], say: Callable[[str], None]) -> None:
    """Check everything, in a namespace that goes again.

    Raises:
        Failed: A check does not hold.
    """
    start = time.monotonic()
    with namespace("windtunnel-check") as name:
        begin_workflow(name)
        start_servers(workers, name)
        for worker, other in pairs(workers):
            ask_server(worker, other, name)
        say("checked: pods run on every node, find Services by name and reach them on other nodes")
        wait_for_metrics(workers)
        say("checked: metrics.k8s.io answers")
        wait_for_workflow(name)
        say(f"checked: Argo runs a workflow (all checks: {time.monotonic() - start:.0f} s)")


@contextmanager
def namespace(name: str) -> Iterator[str]:
    """Make a namespace with its default account, and remove it with all that is in it."""
    as_admin("delete", "namespace", name, "--ignore-not-found", "--timeout=60s")
    as_admin("create", "namespace", name)
    try:
        wait_until(
            "the namespace has an account",
            lambda: bool(as_admin("get", "serviceaccount", "default", f"--namespace={name}", "--ignore-not-found")),
            30,
        )
        yield name
    finally:
        as_admin("delete", "namespace", name, "--wait=false")


def pairs(workers: Sequence[str]) -> list[tuple[str, str]]:
    """Pair each worker with the next one, the last with the first."""
    return [(worker, workers[(number + 1) % len(workers)]) for number, worker in enumerate(workers)]


def start_servers(workers: Sequence[str], namespace: str) -> None:
    """Start a web server on each node, with a Service of the node's name."""
    for worker in workers:
        apply(filled("probes/server.yaml", node=worker, namespace=namespace))
    as_admin("wait", "--for=condition=Ready", f"--namespace={namespace}", "pods", *workers, "--timeout=90s")


def ask_server(worker: str, other: str, namespace: str) -> str:
    """From a pod on one node ask the Service of a pod on another; return the host name that it serves.

    Raises:
        Failed: The name is not found, or the Service does not answer, or another one does.
    """
    exec_ = ["exec", f"--namespace={namespace}", worker, "--", "python", "-c", _ASK]
    answers: list[str] = []

    def answered() -> bool:
        """Ask until kube-proxy knows the Service, which is a moment after the pod is Ready."""
        try:
            answers.append(as_admin(*exec_, f"{other}.{namespace}.svc.cluster.local", timeout=20))
        except Failed:
            return False
        return True

    wait_until(f"a pod on {worker} reaches the Service on {other}", answered, 30)
    served = answers[-1].split()[-1]
    if served != other:
        raise Failed(f"the Service of {other} is answered by {served}")
    return served


def wait_for_metrics(workers: Sequence[str], seconds: float = 90) -> None:
    """Wait until CPU and memory of every node can be read: metrics-server needs two looks, 15 s apart."""

    def known() -> bool:
        try:
            listed = json.loads(as_admin("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes"))
        except Failed:
            return False
        return set(workers) <= {each["metadata"]["name"] for each in listed["items"]}

    wait_until("metrics.k8s.io knows every node", known, seconds, every=0.5)


def begin_workflow(namespace: str) -> None:
    """Submit a workflow of one step."""
    apply(filled("probes/workflow.yaml", namespace=namespace))


def wait_for_workflow(namespace: str, seconds: float = 120) -> str:
    """Wait for the workflow's end and return the parameter that its step gave.

    Raises:
        Failed: It failed, or does not end in time.
    """
    seen: dict[str, object] = {}

    def ended() -> bool:
        found = json.loads(as_admin("get", "workflow", "check", f"--namespace={namespace}", "--output=json"))
        seen.update(found.get("status", {}))
        return seen.get("phase") in {"Succeeded", "Failed", "Error"}

    wait_until("Argo ends a workflow", ended, seconds, every=0.5)
    if seen["phase"] != "Succeeded":
        raise Failed(f"the workflow ended as {seen['phase']}: {seen.get('message')}")
    nodes = seen["nodes"]
    assert isinstance(nodes, dict)
    return str(next(iter(nodes.values()))["outputs"]["parameters"][0]["value"])
