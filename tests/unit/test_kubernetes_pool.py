"""A Prefect work pool on Kubernetes: what is refused, what would be made, and whose rights are how small."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect_kubernetes.worker import KubernetesWorker

from windtunnel.backends.kubernetes.settings import RUNNER
from windtunnel.engines.prefect import kubernetes_pool, manifests
from windtunnel.engines.prefect.deployment import JOBS, KUBERNETES_POOL, POOL, worker_command
from windtunnel.engines.prefect.job_template import API_SECRET, job_template
from windtunnel.engines.prefect.pod_check import check_job
from windtunnel.engines.prefect.unstarted_jobs import FLOW_RUN
from windtunnel.errors import UsageError
from windtunnel.install_options import InstallOptions, PoolOptions

MANIFESTS = Path(__file__).parents[2] / "containers" / "prefect"
URL = "http://prefect-server:4200/api"


@pytest.fixture(autouse=True)
def local_server() -> Iterator[None]:
    """The configured server is one of this machine, where nobody answers."""
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        yield


def preview(url: str | None = URL, **options: Any) -> dict[str, Any]:
    """Return what would be made in the namespace bench."""
    return kubernetes_pool.preview(InstallOptions(Path("runs"), "bench", PoolOptions(url, **options)))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (None, "127.0.0.1 is a pod's own address there"),
        ("http://localhost:4200/api", "localhost is a pod's own address there"),
        ("http://[::1]:4200/api", "::1 is a pod's own address there"),
        ("http://0.0.0.0:4200/api", "0.0.0.0 is a pod's own address there"),
        ("prefect-server:4200", "give the address of Prefect's API as pods see it"),
        ("http://[::1:4200/api", "give the address of Prefect's API as pods see it"),
        ("http://admin:swordfish@prefect-server:4200/api", "a password would stand in each Job"),
    ],
)
def test_an_address_that_pods_cannot_use_is_refused(url: str | None, words: str) -> None:
    """Before anybody is asked; None is the configured server's own, and a password is not repeated."""
    with pytest.raises(UsageError, match="--api-url-for-pods: ") as caught:
        kubernetes_pool.install(InstallOptions(Path("runs"), "bench", PoolOptions(url)))

    assert words in caught.value.message
    assert "swordfish" not in caught.value.message


def test_all_that_would_be_made_is_printed() -> None:
    """The pool with its template, queues, the janitor, automations and manifests, as JSON, without a server."""
    found = json.loads(json.dumps(preview(image="windtunnel:1", start_seconds=120)))
    variables = found["work_pool"]["base_job_template"]["variables"]["properties"]

    assert (found["work_pool"]["name"], found["work_pool"]["type"]) == (KUBERNETES_POOL, "kubernetes")
    wanted = {"namespace": "bench", "image": "windtunnel:1", "api_url": URL, "service_account_name": RUNNER}
    assert {name: variables[name]["default"] for name in wanted} == wanted
    assert [queue.get("concurrency_limit") for queue in found["work_queues"]] == [1, 1]
    assert found["deployments"][0]["work_queue_name"] == found["work_queues"][1]["name"]
    waits = {each["name"].partition(": ")[2]: each["trigger"]["within"] for each in found["automations"]}
    assert waits == {
        "a silent run has crashed": 90,
        "a run that does not start has crashed": 120,
        "a crashed run is cleaned up": 0,
        "a cancelled run that did not begin is ended": 15,
    }
    assert found["manifests"]["items"] == kubernetes_pool.manifests("bench")


def test_the_worker_sees_no_secret_and_makes_nothing_but_jobs() -> None:
    """Its one role: jobs, and to look at what becomes of them."""
    named = [each for each in preview()["manifests"]["items"] if each["metadata"]["name"] == kubernetes_pool.WORKER]
    rules = {name: rule["verbs"] for role in named for rule in role.get("rules", ()) for name in rule["resources"]}
    looks = ["get", "list", "watch"]

    assert [each["kind"] for each in named] == ["ServiceAccount", "Role", "RoleBinding"]
    assert sorted(rules.pop("jobs")) == ["create", "delete", "get", "list", "patch", "update", "watch"]
    assert rules == {"pods": looks, "pods/log": looks, "pods/status": looks, "events": looks}


def test_the_manifests_of_server_and_worker_fit_what_is_installed() -> None:
    """The account, the pool, the Secret and the server's address are called the same."""
    server, worker = (
        list(yaml.safe_load_all((MANIFESTS / f"{name}.yaml").read_text())) for name in ("server", "worker")
    )
    pods = [each["spec"]["template"]["spec"] for each in (*server, *worker) if each["kind"] == "Deployment"]
    containers = [pod["containers"][0] for pod in pods]
    secrets = [json.dumps(container["env"]).count(f'"name": "{API_SECRET}"') for container in containers]
    (address,) = [each["value"] for each in containers[1]["env"] if each["name"] == "PREFECT_API_URL"]

    assert pods[1]["serviceAccountName"] == kubernetes_pool.WORKER
    assert containers[1]["command"][3:5] == ["--pool", KUBERNETES_POOL]
    assert "--no-create-pool-if-not-found" in containers[1]["args"]
    assert secrets == [1, 1]
    assert address == f"http://{server[0]['metadata']['name']}:{server[0]['spec']['ports'][0]['port']}/api"
    assert not [pod for pod in pods if not pod["securityContext"]["runAsNonRoot"]]
    assert not [each for each in containers if not each["securityContext"]["readOnlyRootFilesystem"]]


@pytest.mark.parametrize("name", manifests.NAMES)
def test_a_manifest_is_printed_with_the_image_that_is_meant(name: str) -> None:
    """Nothing else is another: the comments, which say what to do, are there too."""
    text = (MANIFESTS / f"{name}.yaml").read_text()

    assert manifests.manifest(name, PoolOptions(image="registry.example/wt:1")) == text.replace(
        "image: windtunnel\n", "image: registry.example/wt:1\n"
    )


def test_a_worker_is_printed_with_the_address_of_the_api() -> None:
    """Of a server that is elsewhere; one that pods cannot use is refused."""
    (worker,) = yaml.safe_load_all(manifests.manifest("worker", PoolOptions("https://prefect.example/api")))
    env = {each["name"]: each.get("value") for each in worker["spec"]["template"]["spec"]["containers"][0]["env"]}

    assert env["PREFECT_API_URL"] == "https://prefect.example/api"
    with pytest.raises(UsageError, match=r"127\.0\.0\.1 is a pod's own address there"):
        manifests.manifest("worker", PoolOptions("http://127.0.0.1:4200/api"))


def test_installing_again_tells_what_flow_runs_have_otherwise() -> None:
    """Somebody who installs for another namespace moves the pool, and everything that is deployed to it."""
    pool = kubernetes_pool.KubernetesPool("bench", URL, "windtunnel:2", 600).work_pool
    former = job_template(namespace="lab", image="windtunnel:1", api_url=URL)

    assert sorted(kubernetes_pool.changes(former, pool)) == [
        "image: windtunnel:2, before windtunnel:1",
        "namespace: bench, before lab",
    ]
    assert kubernetes_pool.changes(pool.base_job_template, pool) == kubernetes_pool.changes({}, pool) == []


class PlayedPools:
    """A server with one work pool, or without any."""

    def __init__(self, template: dict[str, Any] | None) -> None:
        queue = SimpleNamespace(name="default", concurrency_limit=None)
        self.queues, self.pool = (
            {"default": queue},
            SimpleNamespace(base_job_template=template, default_queue_id="default"),
        )

    def read_work_pool(self, _name: str) -> SimpleNamespace:
        """Return the pool."""
        if self.pool.base_job_template is None:
            raise ObjectNotFound(Exception())
        return self.pool

    def create_work_pool(self, pool: WorkPoolCreate) -> SimpleNamespace:
        """Make it."""
        self.pool.base_job_template = pool.base_job_template
        return self.pool

    def update_work_pool(self, _name: str, pool: WorkPoolUpdate) -> None:
        """Change it."""
        self.pool.base_job_template = pool.base_job_template

    def update_work_queue(self, queue: str, concurrency_limit: int) -> None:
        """Set a queue's limit."""
        self.queues[queue].concurrency_limit = concurrency_limit

    def read_work_queues(self, **_options: str) -> list[SimpleNamespace]:
        """Return its queues."""
        return list(self.queues.values())

    def create_work_queue(self, name: str, concurrency_limit: int, **_options: str) -> None:
        """Make one."""
        self.queues[name] = SimpleNamespace(name=name, concurrency_limit=concurrency_limit)


@pytest.mark.parametrize(
    ("former", "limit"),
    [
        (None, 1),
        (KubernetesWorker.get_default_base_job_template(), 1),
        (job_template(namespace="bench"), None),
    ],
    ids=["none", "made by a worker", "ours"],
)
def test_a_pool_that_a_worker_made_by_itself_is_as_new(former: dict[str, Any] | None, limit: int | None) -> None:
    """A worker that finds no pool makes one without a limit; what somebody has set of ours stays."""
    server = PlayedPools(former)
    pool = kubernetes_pool.KubernetesPool("bench", URL, "windtunnel:2", 600).work_pool
    list(kubernetes_pool.apply_pool(cast("SyncPrefectClient", server), pool))

    assert server.queues["default"].concurrency_limit == limit
    assert server.pool.base_job_template == pool.base_job_template
    assert server.queues[kubernetes_pool.JANITOR_QUEUE].concurrency_limit == 1


def test_a_janitor_that_is_silent_holds_up_no_other() -> None:
    """Its queue has one at a time: one whose pod is gone is told as crashed like any run of ours."""
    (related,) = [each["trigger"]["match_related"] for each in preview()["automations"] if "silent" in each["name"]]

    assert related["prefect.resource.id"] == ["prefect.tag.windtunnel-run", "prefect.tag.windtunnel-janitor"]


def test_a_worker_of_jobs_takes_the_janitors_runs_too() -> None:
    """One that is told its queue would leave them; a pool of processes has another pool for them."""
    assert worker_command(KUBERNETES_POOL, "big", JOBS) == f"prefect worker start --pool {KUBERNETES_POOL}"
    assert worker_command(POOL, "big") == f"prefect worker start --pool {POOL} --work-queue big --limit 1"


def test_the_pod_that_asks_for_the_api_is_like_a_flow_runs() -> None:
    """Its image, variables and limits, without an account of the cluster's or the label of a flow run."""
    job = check_job(job_template(namespace="bench", image="windtunnel:1", api_url=URL))
    pod, spec = job["spec"]["template"]["spec"], job["spec"]
    (container,) = pod["containers"]
    values = {each["name"]: each.get("value") for each in container["env"]}

    assert (container["image"], values["PREFECT_API_URL"]) == ("windtunnel:1", URL)
    assert container["command"] == ["windtunnel", "flow-pod", "--"]
    assert container["resources"]["limits"] == {}
    assert {type(value) for value in values.values()} == {str, type(None)}
    assert (pod["automountServiceAccountToken"], "serviceAccountName" in pod) == (False, False)
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"]) == (0, 300, 60)
    assert FLOW_RUN not in json.dumps(job)
