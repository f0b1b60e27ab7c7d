"""A Prefect server and a worker in the cluster, of the committed manifests, and flow runs in pods."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from support import kubernetes_lab
from support.claims import Claim
from support.prefect_cluster import PrefectCluster, prefect_cluster, prefect_namespace
from windtunnel.backends.kubernetes.settings import runner_image
from windtunnel.backends.labels import RUN
from windtunnel.engines.prefect import kubernetes_pool
from windtunnel.engines.prefect.deployment import KUBERNETES_POOL
from windtunnel.engines.prefect.unstarted_jobs import FLOW_RUN

pytestmark = pytest.mark.timeout(900)
FLOW_RUN_SECONDS = 240.0
PASSWORD = "swordfish-of-the-tests"
DATA = "/tmp/data"


def test_a_flow_run_in_a_pod_measures_once(cluster: PrefectCluster, claim: Claim) -> None:
    """It ends as Completed, was run once, and the claim has one run with all of its samples; no object is left."""
    deployment = cluster.deploy("once", "echo rate=4$ITERATION; sleep 2", claim.store, repeats=2)
    run = cluster.start(deployment)
    cluster.until(lambda: cluster.get("pods", RUN), FLOW_RUN_SECONDS, "object of the run")
    objects = cluster.get("pods,jobs,configmaps,secrets,leases", RUN)
    flow_run = cluster.final(run, FLOW_RUN_SECONDS)
    (folder,) = {path.partition("/")[0] for path in claim.sums() if path.startswith("once-")}
    record = json.loads(claim.read(f"{folder}/run.json"))

    assert (flow_run["state"]["name"], flow_run["run_count"]) == ("Completed", 1), cluster.log(run)
    assert (flow_run["name"], record["run_id"]) == (folder, folder)
    assert (record["backend"], record["engine"], record["exit_code"]) == ("kubernetes", "prefect", 0)
    assert record["metrics"]["rate"]["values"] == [41, 42]
    assert record["resources"]["left"] == []
    # Prefect takes whatever is labelled so for a flow run's own pod or Job.
    assert not [each for each in objects if FLOW_RUN in each["metadata"]["labels"]]
    assert len(cluster.flow_pods(run)) == 1
    assert not cluster.get("pods,jobs,configmaps,secrets,leases", f"{RUN}={folder}")


def test_the_server_has_its_ui(cluster: PrefectCluster) -> None:
    """Prefect makes its files at the start, in a container that is not to be written to."""
    page = httpx.get(f"http://127.0.0.1:{cluster.port}", follow_redirects=True)

    assert page.is_success
    assert "<title>Prefect Server</title>" in page.text


def test_doctor_finds_the_pool_and_its_worker(cluster: PrefectCluster) -> None:
    """The server keeps the template as it was given; a worker that has much to do tells of itself late."""
    wanted = {"kind": "pool", "name": KUBERNETES_POOL, "works": True, "reason": None}

    def rows() -> list[dict[str, object]]:
        return list(json.loads(cluster.windtunnel("doctor", "--json").stdout))

    cluster.until(lambda: wanted in rows(), FLOW_RUN_SECONDS, f"row {wanted}")


@pytest.mark.full
def test_a_run_whose_pod_cannot_start_crashes_and_its_job_goes(cluster: PrefectCluster, claim: Claim) -> None:
    """Once its time to start is over: Prefect's worker would wait for ever, and the pod would start with its image."""
    image = f"{runner_image()}-missing"
    # The janitor's own pod has no longer either.
    with cluster.start_seconds(45):
        run = cluster.start(cluster.deploy("stuck", "echo rate=41", claim.store, "--image", image))
        flow_run = cluster.final(run, FLOW_RUN_SECONDS)
        cluster.until(lambda: not cluster.flow_pods(run), FLOW_RUN_SECONDS, "end of its Job")

    assert flow_run["state"]["name"] == "Crashed", cluster.log(run)
    assert "not started within 45 s" in flow_run["state"]["message"]
    assert flow_run["run_count"] == 0


@pytest.mark.full
def test_installing_again_makes_nothing_twice(cluster: PrefectCluster) -> None:
    """The automations are those of the second time; limits that somebody set stay."""
    path = f"/work_pools/{KUBERNETES_POOL}/queues/default"
    before = cluster.ask("GET", path).json()["concurrency_limit"]
    cluster.ask("PATCH", path, {"concurrency_limit": 3})
    with cluster.start_seconds(777):
        automations = cluster.post("/automations/filter", {})
        after = cluster.ask("GET", path).json()["concurrency_limit"]
    cluster.ask("PATCH", path, {"concurrency_limit": 1})

    assert (before, after) == (1, 3)
    assert [each["trigger"]["within"] for each in automations if "does not start" in each["name"]] == [777]
    assert len(automations) == len({each["name"] for each in automations}) == 4


def test_an_address_that_pods_do_not_reach_is_refused_with_a_pods_own_words(cluster: PrefectCluster) -> None:
    """Exit 2; what is there stays as it is, and the pod is gone."""
    before = cluster.ask("GET", f"/work_pools/{KUBERNETES_POOL}").json()["base_job_template"]
    refused = cluster.install(api_url="http://prefect-server.nowhere:4200/api")

    assert refused.returncode == 2
    assert "it says: the Prefect server at http://prefect-server.nowhere:4200/api does not answer" in refused.stderr
    assert cluster.ask("GET", f"/work_pools/{KUBERNETES_POOL}").json()["base_job_template"] == before
    assert not cluster.get("jobs", "app.kubernetes.io/part-of=windtunnel")


@pytest.mark.full
def test_a_servers_password_is_in_no_job(tmp_path: Path) -> None:
    """Server, worker and flow runs take it from the Secret; what the worker makes has its name alone."""
    with prefect_cluster(tmp_path, f"admin:{PASSWORD}") as lab:
        flow_run = lab.final(lab.start(f"reap/{kubernetes_pool.JANITOR}"), FLOW_RUN_SECONDS)
        unguarded = httpx.post(f"{lab.api.base_url}/deployments/filter", json={})
        made = lab.kubectl("get", "deployments,jobs,pods", "--output", "json")

    assert flow_run["state"]["name"] == "Completed"
    assert unguarded.status_code == httpx.codes.UNAUTHORIZED
    assert flow_run["id"] in made
    assert PASSWORD not in made


@pytest.mark.full
def test_a_server_with_postgres_keeps_what_it_has(tmp_path: Path) -> None:
    """The database's address is in a Secret; the server's pod may go, and with it nothing."""
    trust = f"echo 'host all all all trust' >>{DATA}/pg_hba.conf"
    serve = f"initdb -U prefect -D {DATA} && {trust} && exec postgres -D {DATA} -h 0.0.0.0 -k {DATA}"
    url = "postgresql+asyncpg://prefect@database:5432/postgres"
    with prefect_namespace(tmp_path) as lab:
        place = (f"--image={kubernetes_lab.image('servers')}", "--port=5432", "--expose")
        lab.kubectl("run", "database", *place, "--command", "--", "sh", "-c", serve)
        lab.kubectl("create", "secret", "generic", "prefect-database", f"--from-literal=url={url}")
        lab.start_server()
        lab.post("/work_pools/", {"name": "kept", "type": "process"})
        lab.kubectl("delete", "pods", "--selector=app.kubernetes.io/name=prefect-server")
        lab.start_server()

        assert lab.ask("GET", "/work_pools/kept").json()["name"] == "kept"
