"""A flow run in a pod of the test cluster that a test does something to, and what became of it, seen from outside."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cluster import docker as nodes
from support import kubernetes_lab
from support.claims import Claim
from support.deployed import FINAL_SECONDS, deploy
from support.docker_lab import client_server
from support.prefect_cluster import PrefectCluster
from windtunnel.engines.prefect.deployment import KUBERNETES_POOL

START_SECONDS = 240.0
GONE_SECONDS = 180.0
"""How long a run may outlive its driver: its lease, and what the cluster takes to delete."""
SAMPLES = 5
"""How many an iteration of the tests' client has."""
_WAITS = {"Pending", "Running"}
_EAT = """
import os, time
for _ in range(40):
    if not os.fork():
        eaten = bytearray(b'x') * (30 << 20)
        time.sleep(60)
        os._exit(0)
    time.sleep(0.1)
"""
"""Takes memory in pieces, each smaller than the driver: the kernel kills the largest process."""


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
    def jobs(self) -> list[str]:
        """The names of its Jobs."""
        return [each["metadata"]["name"] for each in self.cluster.get("jobs", f"prefect.io/flow-run-id={self.id}")]

    @property
    def job(self) -> str:
        """The name of its Job."""
        (found,) = self.jobs
        return str(found)

    def until(self, condition: Callable[[], object], what: str, seconds: float = START_SECONDS) -> None:
        """Wait until something is so."""
        self.cluster.until(condition, seconds, f"{what} of {self.name}")

    def until_logged(self, words: str) -> None:
        """Wait until its log has some words."""
        self.until(lambda: any(words in line for line in self.cluster.log(self.id)), words)

    def hang(self) -> None:
        """Wait until its client hangs, in the second iteration."""
        self.until_logged("client.2 | client: hanging")

    def until_state(self, *names: str, seconds: float = FINAL_SECONDS) -> dict[str, Any]:
        """Wait for one of some states and return the flow run."""
        self.until(lambda: self.state() in names, " or ".join(names), seconds)
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
        (folder,) = self.folders()
        if f"{folder}/samples.jsonl" not in self.claim.sums():
            return 0
        lines = self.claim.read(f"{folder}/samples.jsonl").splitlines()
        return sum((each["metric"], each["iteration"]) == ("latency", 1) for each in map(json.loads, lines))

    def until_gone(self) -> None:
        """Wait until the cluster has no object of its runs, found by name, and no pod of its own that is not over."""
        self.until(lambda: not self._left(), "end", GONE_SECONDS)

    def _left(self) -> list[object]:
        pods = self.cluster.flow_pods(self.id)
        alive = [pod["metadata"]["name"] for pod in pods if pod["status"]["phase"] in _WAITS]
        return [*alive, *(name for folder in self.folders() for name in kubernetes_lab.objects_of(folder))]


class Start(Protocol):
    """Deploys a client-server benchmark, and starts a run of it as the UI does."""

    def __call__(
        self,
        name: str,
        before: Callable[[], object] = lambda: None,
        text: str | None = None,
        variables: Mapping[str, Any] | None = None,
    ) -> FlowRun:
        """Use this name for it; `before` is called before the run is started; `variables` are of its Job."""
        ...


def hanging(store: str) -> str:
    """Return a benchmark that hangs in its second iteration."""
    return client_server(client="--hang-in 2", tables=f"[run]\nrepeats = 2\n[output]\nstore = '{store}'")


def starter(cluster: PrefectCluster, claim: Claim) -> Start:
    """Return what deploys a benchmark under a name, one that hangs if none is given, and starts a run of it."""

    def start(
        name: str,
        before: Callable[[], object] = lambda: None,
        text: str | None = None,
        variables: Mapping[str, Any] | None = None,
    ) -> FlowRun:
        text = (text or hanging(claim.store)).replace('"faulty"', f'"{name}"').replace('"alone"', f'"{name}"')
        deploy(cluster, name, text, "--pool", KUBERNETES_POOL)
        before()
        strategy = "client-server" if "[server]" in text else "single-node"
        deployment = cluster.deployment(f"{strategy}/{name}")["id"]
        body = {"state": {"type": "SCHEDULED"}, "job_variables": dict(variables or {})}
        made = cluster.post(f"/deployments/{deployment}/create_flow_run", body)
        return FlowRun(cluster, claim, name, made["id"])

    return start


def delete_pod(run: FlowRun) -> None:
    """Delete the flow's pod, as a person does, or a drain."""
    run.cluster.kubectl("delete", "pod", run.pod, "--wait=false")


def delete_pod_by_force(run: FlowRun) -> None:
    """Delete the flow's pod without a grace."""
    run.cluster.kubectl("delete", "pod", run.pod, "--grace-period=0", "--force")


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


def cancel(run: FlowRun) -> None:
    """Cancel it by the server's API, as the UI does."""
    run.cluster.cancel(run.id)


def kill_engine(run: FlowRun) -> None:
    """Kill the process that drives the benchmark."""
    find = "from windtunnel.engines.prefect.flow_pod import find_engine; import psutil; "
    run.cluster.kubectl("exec", run.pod, "--", "python", "-c", f"{find}find_engine(psutil.Process(1)).kill()")


def exhaust_memory(run: FlowRun) -> None:
    """Take more memory than its pod may have."""
    run.cluster.kubectl("exec", run.pod, "--", "sh", "-c", 'python -c "$0" >/dev/null 2>&1 &', _EAT)


def kill_container(cluster: PrefectCluster, selector: str) -> None:
    """Kill the one container of a pod: all of its processes at once."""
    (pod,) = cluster.get("pods", selector)
    (container,) = pod["status"]["containerStatuses"]
    ident = container["containerID"].removeprefix("containerd://")
    node = pod["spec"]["nodeName"]
    nodes.in_node(node, ["ctr", "--namespace", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", ident])


def kill_pod(run: FlowRun) -> None:
    """Kill all that runs in its pod at once, as the kernel does that is out of memory and has cgroups of version 2."""
    kill_container(run.cluster, f"prefect.io/flow-run-id={run.id}")
