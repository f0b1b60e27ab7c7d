"""Where pods go: as the benchmark says, and both ends in one zone; told by the cluster, not by the run."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from support.docker_lab import client_server, single_node
from support.kubernetes_lab import image, kubectl, nodes_of, seen_pods
from support.lab import Lab, Result
from support.needs import lacking

pytestmark = [
    pytest.mark.platform,
    pytest.mark.usefixtures("cluster_empty", "nothing_left"),
    pytest.mark.timeout(600),
]
ZONE = "topology.kubernetes.io/zone"
RATE = '[[metrics]]\nname = "rate"\npattern = "rate=(\\\\S+)"\n'
SELECTOR = '[client.node_selector]\n"kubernetes.io/hostname" = "{}"\n'


@pytest.fixture(scope="module")
def workers() -> Sequence[str]:
    """The names of the cluster's nodes that take pods, two at least."""
    image()
    found = json.loads(kubectl("get", "nodes", "--output", "json"))["items"]
    names = [each["metadata"]["name"] for each in found if not each["spec"].get("taints")]
    if len(names) < 2 or any(ZONE in each["metadata"]["labels"] for each in found):
        lacking("the cluster has one free node only, or zones of its own", "kubernetes")
    return names


@contextmanager
def changed(kind: str, changes: dict[str, str]) -> Iterator[None]:
    """Label or taint nodes, and take that back.

    Args:
        kind: ``label`` or ``taint``.
        changes: The node's name to what it gets, ``key=value``.
    """
    with ExitStack() as stack:
        for name, change in changes.items():
            undo = change.partition("=")[0] + ("-" if kind == "label" else ":NoSchedule-")
            stack.callback(insist, kind, "node", name, undo)
            kubectl(kind, "--overwrite", "node", name, change)
        yield
    for name in changes:
        seen: dict[str, Any] = json.loads(kubectl("get", "node", name, "--output", "json"))
        assert ZONE not in seen["metadata"]["labels"]
        assert not seen["spec"].get("taints")


def insist(*arguments: str, seconds: float = 60) -> None:
    """Have kubectl do something, though the API may be away for a moment."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            kubectl(*arguments)
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
        else:
            return


def run(lab: Lab, text: str, *arguments: str) -> tuple[Result, dict[str, set[str]]]:
    """Run a benchmark; return the result, and the nodes on which kubectl saw each step."""
    with seen_pods() as pods:
        result = lab.run(text, "--backend", "kubernetes", *arguments)
    return result, nodes_of(pods, result.record["run_id"])


def test_a_step_runs_on_the_node_that_it_selects(lab: Lab, workers: Sequence[str]) -> None:
    """Every iteration of it, and the server on the other."""
    keys = {"server_keys": "[server.node_selector]", "client_keys": "[client.node_selector]"}
    for (name, table), node in zip(list(keys.items()), workers, strict=False):
        keys[name] = f'{table}\n"kubernetes.io/hostname" = "{node}"'
    result, nodes = run(lab, client_server(**keys, tables="[run]\nrepeats = 2"))

    assert result.exit_code == 0, result.stderr
    assert nodes == {"server": {workers[0]}, "client": {workers[1]}}


def test_a_gpu_that_nobody_has_is_told_in_the_schedulers_words(lab: Lab) -> None:
    """Exit 3 within seconds."""
    result, nodes = run(lab, single_node(["true"], client="resources = { gpu = 1 }"))

    assert result.exit_code == 3
    assert result.cause == "unschedulable"
    assert "Insufficient nvidia.com/gpu" in result.record["cause"]["message"]
    assert nodes == {}


@pytest.mark.alone  # a node is tainted, which others would feel
@pytest.mark.full
def test_a_tainted_node_takes_who_tolerates_it(lab: Lab, workers: Sequence[str]) -> None:
    """Who does not is told so in the scheduler's words."""
    selector = SELECTOR.format(workers[-1])
    toleration = '[[client.tolerations]]\nkey = "windtunnel-test"\noperator = "Equal"\nvalue = "yes"\n'
    command = ["python3", "-c", "print('rate=1')"]
    with changed("taint", {workers[-1]: "windtunnel-test=yes:NoSchedule"}):
        tolerant, nodes = run(lab, single_node(command, toleration + selector + RATE))
        other, _nodes = run(lab, single_node(command, selector + RATE))

    assert tolerant.exit_code == 0, tolerant.stderr
    assert nodes == {"client": {workers[-1]}}
    assert other.exit_code == 3
    assert other.cause == "unschedulable"
    assert "untolerated taint" in other.record["cause"]["message"]


@pytest.mark.alone  # nodes are labelled, which others would feel
@pytest.mark.parametrize("replicas", [1, pytest.param(3, marks=pytest.mark.full)])
def test_both_ends_are_in_one_zone(lab: Lab, workers: Sequence[str], replicas: int) -> None:
    """Wherever the scheduler puts the server; where two ends may share a node, that is nearer than another zone."""
    zones = {name: f"{ZONE}=zone-{number}" for number, name in enumerate(workers)}
    keys = f'placement = "any"\nreplicas = {replicas}'
    with changed("label", zones):
        result, nodes = run(lab, client_server(server_keys=keys))

    assert result.exit_code == 0, result.stderr
    assert len(nodes["server"]) == 1
    assert nodes["server"] == nodes["client"]
    environment = json.loads((lab.only_run() / "environment.json").read_text())
    assert [each["labels"][ZONE] for each in environment["nodes"].values()] == [
        zones[name].partition("=")[2] for name in nodes["client"]
    ]


def test_replicas_leave_a_node_to_the_client(lab: Lab, workers: Sequence[str]) -> None:
    """Though the scheduler would spread them over all there are."""
    result, nodes = run(lab, client_server(server_keys=f"replicas = {len(workers) + 1}"))

    assert result.exit_code == 0, result.stderr
    assert not nodes["server"] & nodes["client"]
