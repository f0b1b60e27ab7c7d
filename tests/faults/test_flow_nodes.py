"""The node of a flow run's pod is drained, or is gone for a while: nothing else may use the cluster then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from cluster.shell import run as call
from support.claims import volume
from support.flow_run_in_pod import SAMPLES, FlowRun, Start, starter
from support.kubernetes_lab import kubectl, worker_names
from support.needs import package
from support.prefect_cluster import PrefectCluster, prefect_cluster

package("prefect")
pytestmark = [pytest.mark.alone, pytest.mark.full, pytest.mark.timeout(1500)]
HEARTBEAT_SECONDS = 150.0
"""How long a run whose node is gone may be called Running: the automation's time, and what it takes to be heard."""
READY_SECONDS = 180.0


@pytest.fixture(scope="module")
def node() -> str:
    """The node of the flow's pod; Prefect's server, its worker and the claim are on another one."""
    return worker_names()[1]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, node: str) -> Iterator[PrefectCluster]:
    """A server, the pool of Jobs and a worker, none of them on that node."""
    kubectl("cordon", node)
    try:
        with prefect_cluster(tmp_path_factory.mktemp("prefect")) as lab:
            kubectl("uncordon", node)
            yield lab
    finally:
        kubectl("uncordon", node)


@pytest.fixture
def start(cluster: PrefectCluster) -> Iterator[Start]:
    """Deploy a benchmark under a name, and start a run of it."""
    with volume("777", cluster.namespace) as claim:
        yield starter(cluster, claim)


def hanging_on(start: Start, name: str, node: str) -> FlowRun:
    """Start a run whose pod is on a node, and wait until its client hangs."""
    run = start(name, variables={"node_selector": {"kubernetes.io/hostname": node}})
    run.hang()
    return run


def test_a_drained_node_ends_its_run_in_order(
    start: Start, node: str, record_property: Callable[[str, object], None]
) -> None:
    """The platform has failed, by an eviction; what was measured is kept, and nothing is left."""
    run = hanging_on(start, "drained", node)
    begun = time.monotonic()
    flow = f"--pod-selector=prefect.io/flow-run-id={run.id}"
    try:
        kubectl("drain", node, flow, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=100s")
        found = run.until_state("PlatformFailed")
        record_property("seconds", round(time.monotonic() - begun))
    finally:
        kubectl("uncordon", node)
    run.until_gone()
    (record,) = run.records()

    assert "told to end (EvictionByEvictionAPI" in found["state"]["message"]
    assert (found["run_count"], run.samples(), record["cause"]["code"]) == (1, SAMPLES, "driver_evicted")


def test_a_run_whose_node_is_gone_is_told_by_its_heartbeat_and_not_run_again(
    start: Start, node: str, record_property: Callable[[str, object], None]
) -> None:
    """Once the node is back nothing of the run is left: its driver finds that its lease is lost, or is gone."""
    run = hanging_on(start, "lost", node)
    begun = time.monotonic()
    try:
        call(["docker", "pause", f"windtunnel-{node}"])
        found = run.until_state("Crashed", seconds=HEARTBEAT_SECONDS)
        record_property("seconds", round(time.monotonic() - begun))
    finally:
        call(["docker", "unpause", f"windtunnel-{node}"])
        kubectl("wait", f"node/{node}", "--for=condition=Ready", f"--timeout={READY_SECONDS:.0f}s")
    run.until_gone()

    assert "no heartbeat for 90 s" in found["state"]["message"]
    assert (found["run_count"], run.samples()) == (1, SAMPLES)
    # Its driver may have come back, and have told at its end what it came to.
    assert run.state() in {"Crashed", "PlatformFailed"}
