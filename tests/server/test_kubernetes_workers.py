"""Who looks after the pool on Kubernetes: a worker that is outside of the cluster, and the janitor inside of it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from support.claims import Claim, volume
from support.kubernetes_lab import kubectl
from support.prefect_cluster import PrefectCluster
from windtunnel.backends.kubernetes.install import NODES
from windtunnel.engines.prefect.deployment import KUBERNETES_POOL
from windtunnel.engines.prefect.kubernetes_pool import JANITOR
from windtunnel.engines.prefect.kubernetes_pool import WORKER as WORKER_ACCOUNT

pytestmark = [pytest.mark.timeout(900), pytest.mark.full]
FLOW_RUN_SECONDS = 240.0
WORKER = "app.kubernetes.io/name=prefect-worker"


@pytest.fixture
def outside(cluster: PrefectCluster) -> Iterator[PrefectCluster]:
    """The server, and a worker on this machine instead of the one in the cluster."""
    observed = "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES"
    cluster.kubectl("scale", "deployment/prefect-worker", "--replicas=0")
    cluster.env[observed] = cluster.namespace
    try:
        cluster.until(lambda: not cluster.get("pods", WORKER), FLOW_RUN_SECONDS, "end of the worker")
        cluster.start_worker("outside", KUBERNETES_POOL, kind="kubernetes")
        yield cluster
    finally:
        del cluster.env[observed]
        if "outside" in cluster.processes:
            cluster.end("outside", signal.SIGKILL)
        cluster.kubectl("scale", "deployment/prefect-worker", "--replicas=1")


def test_a_worker_outside_of_the_cluster_makes_the_same_pods(outside: PrefectCluster, claim: Claim) -> None:
    """They reach the API at the pool's address, not at the worker's own, which is one of its machine."""
    run = outside.start(outside.deploy("outside", "echo rate=41", claim.store))
    flow_run = outside.final(run, FLOW_RUN_SECONDS)
    ((container,),) = (pod["spec"]["containers"] for pod in outside.flow_pods(run))
    values = {each["name"]: each.get("value") for each in container["env"]}

    assert (flow_run["state"]["name"], flow_run["run_count"]) == ("Completed", 1), outside.log(run)
    assert values["PREFECT_API_URL"] == outside.api_url
    assert json.loads(claim.read(f"{flow_run['name']}/run.json"))["metrics"]["rate"]["values"] == [41]


@pytest.fixture
def other(cluster: PrefectCluster) -> Iterator[str]:
    """Another namespace, prepared as the documentation says, in which the worker may make Jobs."""
    name = f"{cluster.namespace}-other"
    kubectl("create", "namespace", name)
    try:
        manifests = cluster.install("--print", "--namespace", name).stdout
        kubectl("apply", "--filename", "-", text=manifests)
        account = ("--role", WORKER_ACCOUNT, "--serviceaccount", f"{cluster.namespace}:{WORKER_ACCOUNT}")
        kubectl("create", "rolebinding", "prefect-worker", "--namespace", name, *account)
        yield name
    finally:
        kubectl(
            "delete", f"namespace/{name}", f"clusterrolebinding/{NODES}-{name}", "--ignore-not-found", "--wait=false"
        )


def test_a_deployments_jobs_are_made_in_another_namespace(cluster: PrefectCluster, other: str) -> None:
    """The same worker makes them, with the rights that it was given there; the run's own objects are there too."""
    with volume("777", other) as claim:
        run = cluster.start(cluster.deploy("elsewhere", "echo rate=41", claim.store, "--namespace", other))
        flow_run = cluster.final(run, FLOW_RUN_SECONDS)
        selector = f"--selector=prefect.io/flow-run-id={run}"
        pods = json.loads(kubectl("get", "pods", "--namespace", other, selector, "--output", "json"))["items"]
        record = json.loads(claim.read(f"{flow_run['name']}/run.json"))

    assert (flow_run["state"]["name"], flow_run["run_count"]) == ("Completed", 1), cluster.log(run)
    assert (len(pods), cluster.flow_pods(run)) == (1, [])
    assert record["metrics"]["rate"]["values"] == [41]


def test_the_janitor_ends_what_nobody_looks_after(cluster: PrefectCluster) -> None:
    """A lease that nobody renews, without a warden, goes: the janitor has the account of flow runs."""
    moment = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "stale", "labels": {"windtunnel.dev/run": "stale"}},
        "spec": {"holderIdentity": "stale", "leaseDurationSeconds": 30, "renewTime": moment},
    }
    cluster.kubectl("apply", "--filename", "-", text=json.dumps(lease))

    def is_gone() -> bool:
        """Run the janitor: what is younger than a minute it leaves alone."""
        cluster.final(cluster.start(f"reap/{JANITOR}"), FLOW_RUN_SECONDS)
        return "stale" not in {each["metadata"]["name"] for each in cluster.get("leases")}

    cluster.until(is_gone, FLOW_RUN_SECONDS, "end of the lease")
