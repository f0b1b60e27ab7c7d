"""A whole cluster misbehaves: these tests disturb everybody on it, so they run alone, and put it right again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cluster import docker as nodes
from support.kubernetes_faults import FINISH_SECONDS, LOG_SECONDS, REQUESTS, Fault, shell_client
from support.kubernetes_lab import kubectl
from support.lab import finish
from support.needs import lacking

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("docker_empty", "nothing_left"), pytest.mark.timeout(600)]


@pytest.mark.parametrize(("step", "exit_code"), [("client", 3), pytest.param("server", 5, marks=pytest.mark.full)])
def test_a_node_that_is_drained_ends_the_run(fault: Fault, step: str, exit_code: int) -> None:
    """With the client on it the platform has failed, with the server on it the numbers are invalid."""
    with fault.hanging() as process:
        pod = fault.client_pod if step == "client" else fault.name("server")
        node = fault.kubectl("get", "pod", pod, "--output", "jsonpath={.spec.nodeName}")
        own = f"windtunnel.dev/run={fault.lab.only_run().name},windtunnel.dev/step"
        with drained(fault, node, own):
            result = finish(process, FINISH_SECONDS)

    assert f"{step}" in fault.ended(result, exit_code, "evicted")
    assert len(fault.lab.samples()) == 2 * REQUESTS


@contextmanager
def drained(fault: Fault, node: str, selector: str) -> Iterator[None]:
    """Take the pods of a run off a node, which takes new ones afterwards; other people's pods may stay."""
    options = ("--force", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=60s")
    try:
        fault.strike(lambda: kubectl("drain", node, "--pod-selector", selector, *options))
        yield
    finally:
        kubectl("uncordon", node)


@pytest.mark.full
def test_a_run_outlives_a_restart_of_the_api_server(fault: Fault) -> None:
    """It goes on and succeeds, samples are kept, and no line of its output is lost or there twice."""
    lines, seconds = 3000, 10
    script = (
        f"python3 -uc \"import time\nfor n in range({lines}): print(f'line={{n}}'); time.sleep({seconds / lines})\""
    )
    text = shell_client(script, '[[metrics]]\nname = "line"\npattern = "line=(\\\\d+)"')
    with fault.lab.start("run", str(fault.lab.write(text)), "--backend", "kubernetes", "--json") as process:
        fault.lab.wait_for_log("client", "line=300", LOG_SECONDS)
        restart_api_server()
        result = finish(process, FINISH_SECONDS)

    assert result.exit_code == 0, result.stderr
    found = (fault.lab.only_run() / "logs" / "client.1.log").read_text().split()
    assert found == [f"line={n}" for n in range(lines)]
    assert [sample["value"] for sample in fault.lab.samples()] == list(range(lines))
    assert result.record["resources"]["left"] == []


def restart_api_server() -> None:
    """Kill the API server; the control plane's container starts it again."""
    if not any(each.name == nodes.CONTROL_PLANE for each in nodes.containers()):
        lacking("the API server of this cluster is not ours to restart", "kubernetes")
    find = 'for p in /proc/[0-9]*; do [ "$(cat $p/comm)" = kube-apiserver ] && echo ${p#/proc/}; done; true'
    for pid in nodes.in_node("control-plane", ["sh", "-c", find]).split():
        nodes.in_node("control-plane", ["kill", "-9", pid])
