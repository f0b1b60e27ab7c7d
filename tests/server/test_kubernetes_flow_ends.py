"""What ends a flow run in a pod: its state, its cause, what is kept, and that it ran once and leaves nothing."""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from support.claims import Claim
from support.deployed import deploy
from support.docker_lab import client_server
from support.flow_run_in_pod import (
    SAMPLES,
    START_SECONDS,
    FlowRun,
    Start,
    cancel,
    delete_job,
    delete_job_last,
    delete_pod,
    delete_pod_by_force,
    end_time,
    evict,
    exhaust_memory,
    hanging,
    kill_engine,
    kill_pod,
    starter,
)
from support.prefect_cluster import PrefectCluster
from windtunnel.engines.prefect.deployment import KUBERNETES_POOL
from windtunnel.engines.prefect.job_template import SIGTERM_BEHAVIOR

pytestmark = pytest.mark.timeout(900)
full = pytest.mark.full


@dataclass(frozen=True)
class Phase:
    """A phase that a run stays in.

    Attributes:
        text: The benchmark, by the store it keeps its runs in.
        reach: Waits until a run is in it.
        samples: How many of the first iteration are kept by then; None where there is no run yet.
        variables: Of its Job.
    """

    text: Callable[[str], str]
    reach: Callable[[FlowRun], None]
    samples: int | None = SAMPLES
    variables: dict[str, Any] = field(default_factory=dict)


def until_pending(run: FlowRun) -> None:
    """Wait until Prefect knows that its pod waits."""
    run.until(lambda: run.state() == "InfrastructurePending" and run.cluster.flow_pods(run.id), "pod")


def until_begun(run: FlowRun) -> None:
    """Wait until the pod has begun."""
    run.until(lambda: any(pod["status"]["phase"] == "Running" for pod in run.cluster.flow_pods(run.id)), "pod")


def unready(store: str) -> str:
    """Return a benchmark whose server is not ready for long."""
    ready = '{ http = "/ready", within = "5m" }'
    return client_server(server="--unready", ready=ready, tables=f"[output]\nstore = '{store}'")


def unwilling(store: str) -> str:
    """Return a benchmark whose server takes long to stop."""
    text = client_server(server="--ignore-term", tables=f"[output]\nstore = '{store}'")
    return text.replace('grace = "1s"', 'grace = "45s"')


PHASES = {
    "pending": Phase(hanging, until_pending, None, {"node_selector": {"nowhere": "at-all"}}),
    "begun": Phase(hanging, until_begun, None),
    "starting": Phase(unready, lambda run: run.until_logged("server | server: listening"), 0),
    "measuring": Phase(hanging, FlowRun.hang),
    "stopping": Phase(unwilling, lambda run: run.until_logged("server | server: ignoring SIGTERM")),
    "small": Phase(hanging, FlowRun.hang, variables={"memory_limit": "512Mi"}),
}
"""What a run can be at: `small` measures in a pod that may have little memory."""


@dataclass(frozen=True)
class End:
    """What a run comes to.

    Attributes:
        states: The name of its state, one of these.
        words: What is said of it there, a regular expression.
        code: The cause that its record has, of a driver that could say it; None where all went well before.
    """

    states: tuple[str, ...]
    words: str
    code: str | None = None


def evicted(words: str) -> End:
    """Return the end of a run whose pod had to go for a reason."""
    return End(("PlatformFailed",), rf"told to end \({words}", "driver_evicted")


CANCELLED = End(("Cancelled",), "cancelled", "cancelled")
NOT_BEGUN = End(("Cancelled",), "before")
KILLED = End(("Crashed",), "status code: -9")
GONE = End(("Crashed",), "No active or succeeded pods found")
# Prefect's own process in the pod may have time to say it, or not; and the flow may just begin, and end by itself.
TERMINATED = End(("Crashed", "PlatformFailed"), f"status code: -15|{GONE.words}|told to end")
EXHAUSTED = End(("Crashed",), f"{KILLED.words}|{GONE.words}")
DELETED, EVICTED, JOBLESS = evicted("it was deleted"), evicted("EvictionByEvictionAPI"), evicted("its Job was deleted")
EVENTS: dict[str, tuple[str, Callable[[FlowRun], None], End]] = {
    "deleted": ("measuring", delete_pod, DELETED),
    "pending-cancelled": ("pending", cancel, NOT_BEGUN),
    "pending-deleted": ("pending", delete_pod, GONE),
    "pending-evicted": ("pending", evict, GONE),
    "begun-cancelled": ("begun", cancel, End(("Cancelled",), "cancelled")),
    "begun-deleted": ("begun", delete_pod, TERMINATED),
    "begun-evicted": ("begun", evict, TERMINATED),
    "starting-cancelled": ("starting", cancel, CANCELLED),
    "starting-deleted": ("starting", delete_pod, DELETED),
    "starting-evicted": ("starting", evict, EVICTED),
    "cancelled": ("measuring", cancel, CANCELLED),
    "evicted": ("measuring", evict, EVICTED),
    "jobless": ("measuring", delete_job, JOBLESS),
    "joblast": ("measuring", delete_job_last, JOBLESS),
    "overdue": ("measuring", end_time, evicted("DeadlineExceeded")),
    "killed": ("measuring", kill_engine, KILLED),
    "killed-pod": ("measuring", kill_pod, GONE),
    "forced": ("measuring", delete_pod_by_force, GONE),
    "oom": ("small", exhaust_memory, EXHAUSTED),
    "stopping-cancelled": ("stopping", cancel, End(("Cancelled",), "cancelled")),
    "stopping-deleted": ("stopping", delete_pod, DELETED),
    "stopping-evicted": ("stopping", evict, EVICTED),
}
"""Phase, event and end, by the name of the benchmark that it is tried with."""
QUICK = {"deleted", "pending-cancelled"}
"""What is always tried."""


@pytest.fixture
def start(cluster: PrefectCluster, claim: Claim) -> Start:
    """Deploy a benchmark under a name, and start a run of it."""
    return starter(cluster, claim)


@full
def test_servers_and_their_client_are_pods_beside_the_flows(cluster: PrefectCluster, claim: Claim) -> None:
    """A deployed client-server benchmark ends right, with its report in the store, and the page says where it is."""
    tables = f"[run]\nrepeats = 3\n[output]\nstore = '{claim.store}'"
    deploy(cluster, "pair", client_server(tables=tables).replace('"faulty"', '"pair"'), "--pool", KUBERNETES_POOL)
    run = FlowRun(cluster, claim, "pair", cluster.start("client-server/pair"))
    found = run.until_state("Completed", seconds=START_SECONDS)
    run.until_gone()
    (record,) = run.records()
    (page,) = [each for each in cluster.about("artifacts", run.id) if each["key"] == "pair-report"]

    assert (found["run_count"], found["name"], record["exit_code"]) == (1, record["run_id"], 0)
    assert record["metrics"]["latency"]["n"] == 3
    assert not [line for line in cluster.log(run.id) if "Downloading flow code" in line]
    assert record["resources"]["left"] == []
    assert f"`{claim.store}/{record['run_id']}/report.html`" in page["data"]
    assert f"{record['run_id']}/report.html" in claim.sums()


@pytest.mark.parametrize("name", [each if each in QUICK else pytest.param(each, marks=full) for each in EVENTS])
def test_what_ends_a_run_in_a_phase_is_told_and_leaves_nothing(
    start: Start, claim: Claim, name: str, record_property: Callable[[str, object], None]
) -> None:
    """Its state has the cause; what was measured is kept, it is not measured again, and no object is left."""
    at, strike, end = EVENTS[name]
    phase = PHASES[at]
    run = start(name, text=phase.text(claim.store), variables=phase.variables)
    phase.reach(run)
    begun = time.monotonic()
    strike(run)
    found = run.until_state(*end.states)
    # For the table in docs/prefect-kubernetes.md.
    record_property("seconds", round(time.monotonic() - begun))
    run.until_gone()
    records = run.records()

    assert re.search(end.words, found["state"]["message"])
    assert run.state() == found["state"]["name"]
    if phase.samples is None:
        assert len(records) <= found["run_count"] <= (at == "begun")
        assert not [path for path in claim.sums() if path.startswith(f"{name}-") and path.endswith("samples.jsonl")]
        return
    (record,) = records
    assert (found["run_count"], run.samples()) == (1, phase.samples)
    if end.states != ("Crashed",):
        assert ((record["cause"] or {}).get("code"), record["resources"]["left"]) == (end.code, [])
        assert record["upload"]["complete"]


def use_template(cluster: PrefectCluster, template: dict[str, Any]) -> None:
    """Give the pool a base job template, and have the worker know it."""
    path = f"/work_pools/{KUBERNETES_POOL}"
    cluster.ask("PATCH", path, {"base_job_template": template}).raise_for_status()
    cluster.kubectl("rollout", "restart", "deployment/prefect-worker")
    cluster.kubectl("rollout", "status", "deployment/prefect-worker", "--timeout=110s")


@full
def test_without_our_template_a_benchmark_is_run_twice(start: Start, cluster: PrefectCluster) -> None:
    """Prefect's own choice for a pod that has to go is to start its flow again: that is what the template is for."""
    ours = cluster.ask("GET", f"/work_pools/{KUBERNETES_POOL}").json()["base_job_template"]
    template = copy.deepcopy(ours)
    configuration = template["job_configuration"]
    del configuration["env"][SIGTERM_BEHAVIOR]
    (container,) = configuration["job_manifest"]["spec"]["template"]["spec"]["containers"]
    container["command"] = ["env"]
    try:
        run = start("twice", lambda: use_template(cluster, template))
        run.hang()
        delete_pod(run)
        cluster.until(lambda: len(run.folders()) == 2, START_SECONDS, "second run")
        found = cluster.flow_run(run.id)
        cluster.cancel(run.id)
        run.until_state("Cancelled")
    finally:
        use_template(cluster, ours)
    run.until_gone()

    assert found["run_count"] == 2
