"""What ends a flow run in a pod: its state, its cause, what is kept, and that it ran once and leaves nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from support.claims import Claim
from support.deployed import FINAL_SECONDS, deploy
from support.docker_lab import client_server
from support.prefect_cluster import PrefectCluster
from windtunnel.backends.labels import RUN
from windtunnel.engines.prefect.deployment import KUBERNETES_POOL
from windtunnel.engines.prefect.job_template import SIGTERM_BEHAVIOR

pytestmark = pytest.mark.timeout(900)
full = pytest.mark.full
START_SECONDS = 240.0
GONE_SECONDS = 180.0
"""How long a run may outlive its driver: its lease, and what the cluster takes to delete."""
KINDS = "pods,jobs,services,configmaps,secrets,leases"
SAMPLES = 5
"""How many an iteration of the tests' client has."""


@dataclass
class FlowRun:
    """A flow run in a pod that something happens to.

    Attributes:
        cluster: The server and the cluster.
        claim: What keeps its runs.
        name: The benchmark's name.
        id: The flow run's id.
    """

    cluster: PrefectCluster
    claim: Claim
    name: str
    id: str

    @property
    def pod(self) -> str:
        """The name of its pod."""
        (found,) = self.cluster.flow_pods(self.id)
        return str(found["metadata"]["name"])

    @property
    def job(self) -> str:
        """The name of its Job."""
        (found,) = self.cluster.get("jobs", f"prefect.io/flow-run-id={self.id}")
        return str(found["metadata"]["name"])

    def hang(self) -> None:
        """Wait until its client hangs, in the second iteration."""
        self.cluster.until(lambda: "client.2 | client: hanging" in self.cluster.log(self.id), START_SECONDS, "hang")

    def until_state(self, name: str, seconds: float = FINAL_SECONDS) -> dict[str, Any]:
        """Wait for a state and return the flow run."""
        self.cluster.until(lambda: self.state() == name, seconds, f"{name} of {self.name}, which is {self.state()}")
        return self.cluster.flow_run(self.id)

    def state(self) -> str:
        """Return the name of its state."""
        return str(self.cluster.flow_run(self.id)["state"]["name"])

    def folders(self) -> list[str]:
        """Return the folders of all runs that its claim has of the benchmark."""
        folders = {path.partition("/")[0] for path in self.claim.sums()}
        return sorted(folder for folder in folders if folder.startswith(f"{self.name}-"))

    def records(self) -> list[dict[str, Any]]:
        """Return the records of those runs."""
        return [json.loads(self.claim.read(f"{folder}/run.json")) for folder in self.folders()]

    def samples(self) -> int:
        """Return how many samples its claim has of the benchmark's first iteration."""
        (record,) = self.records()
        lines = self.claim.read(f"{record['run_id']}/samples.jsonl").splitlines()
        return sum((each["metric"], each["iteration"]) == ("latency", 1) for each in map(json.loads, lines))

    def until_gone(self) -> None:
        """Wait until the namespace has no object of the benchmark's runs."""
        selector = f"{RUN},windtunnel.dev/benchmark={self.name}"
        self.cluster.until(lambda: not self.cluster.get(KINDS, selector), GONE_SECONDS, f"end of {selector}")


class Start(Protocol):
    """Deploys a client-server benchmark, and starts a run of it as the UI does."""

    def __call__(self, name: str, before: Callable[[], object] = lambda: None) -> FlowRun:
        """Use this name for it; `before` is called before the run is started."""
        ...


@pytest.fixture
def start(cluster: PrefectCluster, claim: Claim) -> Start:
    """Deploy a client-server benchmark under a name, and start a run of it."""

    def start(name: str, before: Callable[[], object] = lambda: None) -> FlowRun:
        text = client_server(client="--hang-in 2", tables=f"[run]\nrepeats = 2\n[output]\nstore = '{claim.store}'")
        deploy(cluster, name, text.replace('"faulty"', f'"{name}"'), "--pool", KUBERNETES_POOL)
        before()
        return FlowRun(cluster, claim, name, cluster.start(f"client-server/{name}"))

    return start


@full
def test_servers_and_their_client_are_pods_beside_the_flows(cluster: PrefectCluster, claim: Claim) -> None:
    """A deployed client-server benchmark ends right, with its report in the store, and the page says where it is."""
    tables = f"[run]\nrepeats = 3\n[output]\nstore = '{claim.store}'"
    deploy(cluster, "pair", client_server(tables=tables).replace('"faulty"', '"pair"'), "--pool", KUBERNETES_POOL)
    run = FlowRun(cluster, claim, "pair", cluster.start("client-server/pair"))
    found = run.until_state("Completed", START_SECONDS)
    run.until_gone()
    (record,) = run.records()
    (page,) = [each for each in cluster.about("artifacts", run.id) if each["key"] == "pair-report"]

    assert (found["run_count"], found["name"], record["exit_code"]) == (1, record["run_id"], 0)
    assert record["metrics"]["latency"]["n"] == 3
    assert not [line for line in cluster.log(run.id) if "Downloading flow code" in line]
    assert record["resources"]["left"] == []
    assert f"`{claim.store}/{record['run_id']}/report.html`" in page["data"]
    assert f"{record['run_id']}/report.html" in claim.sums()


def delete_pod(run: FlowRun) -> None:
    """Delete the flow's pod, as a person does, or a drain."""
    run.cluster.kubectl("delete", "pod", run.pod, "--wait=false")


def evict(run: FlowRun) -> None:
    """Ask for its eviction."""
    place = {"name": run.pod, "namespace": run.cluster.namespace}
    path = f"/api/v1/namespaces/{place['namespace']}/pods/{place['name']}/eviction"
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": place}
    run.cluster.kubectl("create", "--raw", path, "--filename", "-", text=json.dumps(eviction))


def delete_job(run: FlowRun) -> None:
    """Delete the Job first: Prefect's worker says at once that the run has crashed."""
    run.cluster.kubectl("delete", "job", run.job, "--wait=false")


def delete_job_last(run: FlowRun) -> None:
    """Delete the Job after all that depends on it, as Prefect's worker does: the run's pods go under its driver."""
    run.cluster.kubectl("delete", "job", run.job, "--cascade=foreground", "--wait=false")


def end_time(run: FlowRun) -> None:
    """Have the Job's time be over."""
    run.cluster.kubectl("patch", "job", run.job, "--patch", '{"spec": {"activeDeadlineSeconds": 1}}')


@pytest.mark.parametrize(
    ("name", "strike", "why"),
    [
        ("deleted", delete_pod, "it was deleted"),
        *(
            pytest.param(*each, marks=full)
            for each in (
                ("evicted", evict, "EvictionByEvictionAPI"),
                ("jobless", delete_job, "its Job was deleted"),
                ("joblast", delete_job_last, "its Job was deleted"),
                ("overdue", end_time, "DeadlineExceeded"),
            )
        ),
    ],
)
def test_a_pod_that_has_to_go_ends_its_run_in_order(
    start: Start, name: str, strike: Callable[[FlowRun], None], why: str
) -> None:
    """The platform has failed, with its cause; what was measured is kept, it is not measured again, nothing is left."""
    run = start(name)
    run.hang()
    strike(run)
    found = run.until_state("PlatformFailed")
    run.until_gone()
    (record,) = run.records()

    assert found["run_count"] == 1
    assert f"told to end ({why}" in found["state"]["message"]
    assert (record["cause"]["code"], record["exit_code"]) == ("driver_evicted", 3)
    assert record["resources"]["left"] == []
    assert run.samples() == SAMPLES
    assert record["upload"]["complete"]
    assert run.state() == "PlatformFailed"


@full
def test_a_run_that_is_cancelled_while_it_measures_ends_in_order(start: Start) -> None:
    """By the server's API, as the UI does; it is a cancel and no eviction."""
    run = start("cancelled")
    run.hang()
    run.cluster.cancel(run.id)
    found = run.until_state("Cancelled")
    run.until_gone()
    (record,) = run.records()

    assert found["run_count"] == 1
    assert (record["status"], record["cause"]["code"], record["exit_code"]) == ("cancelled", "cancelled", 130)
    assert record["resources"]["left"] == []


@full
@pytest.mark.parametrize("strike", ["engine", "pod"])
def test_a_driver_that_is_killed_leaves_a_crashed_run_and_no_object(start: Start, strike: str) -> None:
    """It cannot say why any more: Prefect's own processes do, or the worker; the warden ends the run."""
    run = start(f"killed-{strike}")
    run.hang()
    if strike == "pod":
        run.cluster.kubectl("delete", "pod", run.pod, "--grace-period=0", "--force")
    else:
        find = "from windtunnel.engines.prefect.flow_pod import find_engine; import psutil; "
        run.cluster.kubectl("exec", run.pod, "--", "python", "-c", f"{find}find_engine(psutil.Process(1)).kill()")
    found = run.until_state("Crashed")
    run.until_gone()

    assert found["run_count"] == 1
    assert run.samples() == SAMPLES
    assert run.state() == "Crashed"


@full
def test_a_pod_that_has_to_go_while_it_starts_is_no_run(start: Start) -> None:
    """Nothing was made yet; the worker tells that it has crashed, and nobody starts it again."""
    run = start("early")
    run.cluster.until(
        lambda: any(pod["status"]["phase"] == "Running" for pod in run.cluster.flow_pods(run.id)), START_SECONDS, "pod"
    )
    delete_pod(run)
    found = run.until_state("Crashed")
    run.until_gone()

    assert found["run_count"] == 0
    assert run.records() == []
    assert run.state() == "Crashed"


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
