"""What keeps a flow run from its pod, and what goes on beside it without its worker and its server."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from cluster import docker as nodes
from support.claims import Claim
from support.docker_lab import RATE, shell, single_node
from support.flow_run_in_pod import START_SECONDS, FlowRun, Start, cancel, kill_container, starter
from support.kubernetes_lab import kubectl
from support.prefect_cluster import PrefectCluster

pytestmark = [pytest.mark.timeout(900), pytest.mark.full]
WORKER = "app.kubernetes.io/name=prefect-worker"
SERVER = "app.kubernetes.io/name=prefect-server"
TO_START = 30
"""Seconds that a pod may take to start where none does."""
MUCH = {"memory_request": "64Gi"}


@pytest.fixture
def start(cluster: PrefectCluster, claim: Claim) -> Start:
    """Deploy a benchmark under a name, and start a run of it."""
    return starter(cluster, claim)


def short(store: str, seconds: int = 0) -> str:
    """Return a benchmark of two iterations that take so long, whose rates are 41 and 42."""
    tables = f"[run]\nrepeats = 2\n[output]\nstore = '{store}'\n{RATE}"
    return single_node(shell(f"sleep {seconds}; echo rate=4$ITERATION"), tables)


def is_measured(run: FlowRun) -> None:
    """Fail unless it ended right, in one run, and has no second pod."""
    found = run.until_state("Completed", seconds=START_SECONDS)
    run.until_gone()
    (record,) = run.records()

    assert found["run_count"] == 1
    assert record["metrics"]["rate"]["values"] == [41, 42]
    assert len(run.jobs) == len(run.cluster.flow_pods(run.id)) == 1


def is_never_begun(run: FlowRun, state: str, words: str) -> None:
    """Fail unless it came to a state with these words, and has neither a run nor a Job that could begin."""
    found = run.until_state(state)
    run.until(lambda: not run.jobs, "end of the Job")

    assert words in (found["state"]["message"] or "")
    assert (found["run_count"], run.records()) == (0, [])
    assert run.state() == state


@contextmanager
def quota(cluster: PrefectCluster) -> Iterator[None]:
    """Limit the memory that the namespace's pods may ask for; that of the server, the worker and a janitor is less."""
    limit = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "little"}}
    cluster.kubectl(
        "create", "--filename", "-", text=json.dumps(limit | {"spec": {"hard": {"requests.memory": "8Gi"}}})
    )
    try:
        yield
    finally:
        cluster.kubectl("delete", "resourcequota", "little")


def has_a_pod(run: FlowRun) -> bool:
    """Tell whether its Job has one."""
    return bool(run.cluster.flow_pods(run.id))


def is_barred(run: FlowRun) -> bool:
    """Tell whether its Job was told that it may have no pod."""
    return any(
        "exceeded quota" in each["message"] for each in run.cluster.get("events") if each["reason"] == "FailedCreate"
    )


def test_a_run_without_room_for_its_pod_crashes_and_its_job_goes(start: Start, cluster: PrefectCluster) -> None:
    """Its state says after how long; the log has the scheduler's words."""
    with cluster.start_seconds(TO_START):
        run = start("roomless", variables=MUCH)
        run.until(lambda: has_a_pod(run), "pod")
        is_never_begun(run, "Crashed", f"not started within {TO_START} s")

    assert any("Insufficient memory" in line for line in cluster.log(run.id))


def test_a_run_that_a_quota_lets_have_no_pod_crashes_and_its_job_goes(start: Start, cluster: PrefectCluster) -> None:
    """Its Job has none at all, and would make one as soon as it may."""
    with quota(cluster), cluster.start_seconds(TO_START):
        run = start("barred", variables=MUCH)
        run.until(lambda: is_barred(run), "refusal")
        is_never_begun(run, "Crashed", f"not started within {TO_START} s")


def test_a_cancelled_run_that_a_quota_lets_have_no_pod_is_over(start: Start, cluster: PrefectCluster) -> None:
    """Prefect would leave it Cancelling for five minutes."""
    with quota(cluster):
        run = start("unwanted", variables=MUCH)
        run.until(lambda: is_barred(run), "refusal")
        cancel(run)
        is_never_begun(run, "Cancelled", "before its pod began")


def test_a_run_that_is_cancelled_in_its_queue_is_over_at_once(start: Start) -> None:
    """The one before it goes on measuring."""
    first = start("first")
    first.hang()
    second = start("second")
    second.until_state("Late")
    cancel(second)
    is_never_begun(second, "Cancelled", "")
    state = first.state()
    cancel(first)
    first.until_state("Cancelled")
    first.until_gone()

    assert state == "Running"


def test_a_run_waits_for_a_worker_and_is_run_once(start: Start, claim: Claim, cluster: PrefectCluster) -> None:
    """It is Late meanwhile, longer than a pod may take to start, and that does not count as crashed."""
    cluster.kubectl("scale", "deployment/prefect-worker", "--replicas=0")
    try:
        cluster.until(lambda: not cluster.get("pods", WORKER), START_SECONDS, "end of the worker")
        with cluster.start_seconds(TO_START):
            run = start("waiting", text=short(claim.store))
            other = start("given-up", text=short(claim.store))
            run.until_state("Late")
            over = time.monotonic() + 2 * TO_START
            run.until(lambda: time.monotonic() > over, "time")
            states = {run.state(), other.state()}
            cancel(other)
            is_never_begun(other, "Cancelled", "")
    finally:
        cluster.kubectl("scale", "deployment/prefect-worker", "--replicas=1")

    assert states == {"Late"}
    is_measured(run)
    assert other.state() == "Cancelled"


@contextmanager
def stalled_jobs(cluster: PrefectCluster) -> Iterator[Callable[[], object]]:
    """Have the API keep everybody waiting who makes a Job in the namespace; lend what tells whether somebody waits.

    It asks a server that never answers. Once that is gone the Job is refused.
    """
    with socket.create_server((nodes.gateway(), 0)) as listener:
        name = f"stalled-{cluster.namespace}.windtunnel.dev"
        webhook = {
            "name": name,
            "clientConfig": {"url": f"https://{nodes.gateway()}:{listener.getsockname()[1]}/"},
            "rules": [{"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": cluster.namespace}},
            "failurePolicy": "Fail",
            "timeoutSeconds": 30,
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        made = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
        kubectl(
            "create", "--filename", "-", text=json.dumps(made | {"metadata": {"name": name}, "webhooks": [webhook]})
        )
        try:
            yield lambda: select.select([listener], [], [], 0)[0]
        finally:
            kubectl("delete", "validatingwebhookconfiguration", name)


def restarts(cluster: PrefectCluster, selector: str) -> int:
    """Return how often a pod's one container was started again and is ready; 0 while it is not."""
    (pod,) = cluster.get("pods", selector)
    (container,) = pod["status"]["containerStatuses"]
    return int(container["restartCount"]) if container["ready"] else 0


def kill(cluster: PrefectCluster, selector: str) -> None:
    """Kill what a pod runs, and wait until it runs again."""
    before = restarts(cluster, selector)
    kill_container(cluster, selector)
    cluster.until(lambda: restarts(cluster, selector) > before, START_SECONDS, f"{selector} again")


def test_a_run_whose_worker_is_killed_before_its_job_is_there_crashes(start: Start, cluster: PrefectCluster) -> None:
    """Prefect would leave it pending for ever; the next worker does not take it, as nobody knows whether it runs."""
    with cluster.start_seconds(TO_START):
        with stalled_jobs(cluster) as is_waited_for:
            run = start("orphaned")
            run.until(is_waited_for, "Job")
            kill_container(cluster, WORKER)
        is_never_begun(run, "Crashed", f"not started within {TO_START} s")
    cluster.until(lambda: restarts(cluster, WORKER), START_SECONDS, "worker")

    assert run.state() == "Crashed"


@pytest.mark.parametrize("selector", [WORKER, SERVER], ids=["worker", "server"])
def test_a_run_goes_on_while_what_started_it_is_killed(
    start: Start, claim: Claim, cluster: PrefectCluster, selector: str
) -> None:
    """Its pod ends it; the worker that comes after does not start it again."""
    name = selector.rpartition("-")[2]
    run = start(f"{name}less", text=short(claim.store, 30))
    run.until_logged("benchmark 1/2: ")
    kill(cluster, selector)
    is_measured(run)
    # A run after it is taken: the worker looks for work.
    is_measured(start(f"{name}ful", text=short(claim.store)))

    assert len(cluster.flow_pods(run.id)) == 1
