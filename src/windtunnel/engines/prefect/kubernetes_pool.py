"""The work pool whose flow runs are Jobs on Kubernetes: what it has on the server and in a namespace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound

from windtunnel.backends.kubernetes import install as kubernetes
from windtunnel.backends.kubernetes.settings import runner_image
from windtunnel.engines.prefect import flows
from windtunnel.engines.prefect.api_address import address_for_pods
from windtunnel.engines.prefect.automations import (
    apply_automation,
    cancelled_is_reaped,
    crashed_is_reaped,
    pending_is_crashed,
    silent_is_crashed,
)
from windtunnel.engines.prefect.deployment import JOBS, KUBERNETES_POOL, apply_deployment, check_type
from windtunnel.engines.prefect.flow_job import PULL_STEP
from windtunnel.engines.prefect.job_template import DEADLINE, job_template
from windtunnel.engines.prefect.pod_check import check_from_pod
from windtunnel.engines.prefect.server import prefect_server
from windtunnel.engines.prefect.sources import StoredBenchmark
from windtunnel.engines.prefect.tags import JANITOR_TAG
from windtunnel.install_options import Installed, InstallOptions

WORKER = "windtunnel-prefect-worker"
"""The account, and its role, of Prefect's worker."""
JANITOR_QUEUE = "janitor"
JANITOR = "janitor-on-kubernetes"
"""What the janitor's deployment is called."""
_JANITOR_CRON = "7,22,37,52 * * * *"
_JANITOR_SECONDS = 600
_DESCRIPTION = "Runs benchmarks in pods, one at a time for each work queue."
_LOOK = ["get", "list", "watch"]


@dataclass(frozen=True)
class KubernetesPool:
    """The pool as it is to be.

    Attributes:
        namespace: Where the Jobs are made.
        api_url: The address of Prefect's API as pods see it.
        image: Windtunnel's image.
        start_seconds: How long a flow run's pod may take to start.
    """

    namespace: str
    api_url: str
    image: str
    start_seconds: int

    @cached_property
    def work_pool(self) -> WorkPoolCreate:
        """The pool, with its base job template."""
        template = job_template(namespace=self.namespace, image=self.image, api_url=self.api_url)
        return WorkPoolCreate(name=KUBERNETES_POOL, type=JOBS, description=_DESCRIPTION, base_job_template=template)

    def automations(self, janitor: UUID) -> list[AutomationCore]:
        """Return what the server does by itself.

        Args:
            janitor: The janitor's deployment.
        """
        return [
            silent_is_crashed(),
            pending_is_crashed(KUBERNETES_POOL, self.start_seconds),
            crashed_is_reaped(janitor, KUBERNETES_POOL),
            cancelled_is_reaped(janitor, KUBERNETES_POOL),
        ]


def manifests(namespace: str) -> list[dict[str, Any]]:
    """Return the objects for a namespace: what the kubernetes backend needs, and the worker's account.

    Flow runs have the account of a runner. The worker makes and ends their Jobs, and reads what became of their pods;
    it sees no Secret.
    """
    rules = [
        kubernetes.rule("batch", ["jobs"], [*_LOOK, "create", "update", "patch", "delete"]),
        kubernetes.rule("", ["pods", "pods/log", "pods/status", "events"], _LOOK),
    ]
    return [
        *kubernetes.manifests(namespace),
        kubernetes.account(WORKER, namespace),
        kubernetes.role("Role", WORKER, namespace, rules),
        kubernetes.binding("RoleBinding", WORKER, WORKER, namespace),
    ]


def as_manifests(options: InstallOptions) -> list[dict[str, Any]]:
    """Return the objects for a namespace; see `Installer`."""
    return manifests(kubernetes.namespace(options.namespace))


def preview(options: InstallOptions) -> dict[str, Any]:
    """Return all that `install` would make, by where it is; no server is asked.

    Raises:
        UsageError: The options cannot be.
        PlatformError: The cluster has to be asked for the namespace, and does not answer.
    """
    pool = _wanted(options)
    automations = [each.model_dump(mode="json", exclude_none=True) for each in pool.automations(UUID(int=0))]
    for action in (action for each in automations for action in each["actions"] if "deployment_id" in action):
        action["deployment_id"] = f"of reap/{JANITOR}"
    return {
        "work_pool": pool.work_pool.model_dump(mode="json", exclude_unset=True),
        "work_queues": [{"name": "default", "concurrency_limit": 1}, {"name": JANITOR_QUEUE, "concurrency_limit": 1}],
        "deployments": [{"name": f"reap/{JANITOR}", "work_queue_name": JANITOR_QUEUE, "cron": _JANITOR_CRON}],
        "automations": automations,
        "manifests": {"apiVersion": "v1", "kind": "List", "items": manifests(pool.namespace)},
    }


def install(options: InstallOptions) -> Installed:
    """Make what is missing on the configured server and in a namespace, and renew what is ours; see `Installer`.

    Limits of queues and the janitor's schedule are left as somebody has set them.

    Raises:
        UsageError: The options cannot be, no server is configured, or pods do not reach its API; nothing was made.
        Unsupported: A work pool of our name is there already, and is of another type; nothing was changed.
        PlatformError: The server, or the cluster, does not answer, or refuses.
    """
    address_for_pods(options.pool.api_url)
    with prefect_server() as client:
        for found in client.read_work_pools():
            if found.name == KUBERNETES_POOL:
                check_type(found, JOBS)
        cluster = kubernetes.require_cluster(options.namespace)
        pool = _wanted(replace(options, namespace=cluster.namespace))
        kubernetes.check_namespace(cluster)
        check_from_pod(cluster, pool.work_pool.base_job_template)
        made = [*kubernetes.apply(cluster, manifests(cluster.namespace)), *_apply(client, pool)]
    where = f"--api-url-for-pods {pool.api_url}" + (f" --image {options.pool.image}" if options.pool.image else "")
    show = f"windtunnel install prefect --pool-type kubernetes --manifest worker {where}"
    worker = f"a worker: {show} | kubectl apply --namespace {cluster.namespace} --filename -"
    return Installed(made, [worker, f"then: windtunnel deploy FILE --pool {KUBERNETES_POOL}"], cluster.namespace)


def _wanted(options: InstallOptions) -> KubernetesPool:
    asked = options.pool
    url, image = address_for_pods(asked.api_url), asked.image or runner_image()
    return KubernetesPool(kubernetes.namespace(options.namespace), url, image, asked.start_seconds)


def _apply(client: SyncPrefectClient, pool: KubernetesPool) -> Iterator[str]:
    yield from apply_pool(client, pool.work_pool)
    StoredBenchmark.register_type_and_schema()
    yield f"block type {StoredBenchmark.get_block_type_slug()}"
    janitor = apply_deployment(
        client,
        flows.reap,
        JANITOR,
        CronSchedule(cron=_JANITOR_CRON, timezone="UTC"),
        keep_schedule=True,
        pull_steps=[PULL_STEP],
        job_variables={"deadline": _JANITOR_SECONDS},
        description="Ends what crashed runs left behind in the pool's namespace.",
        tags=[JANITOR_TAG],
        work_pool_name=KUBERNETES_POOL,
        work_queue_name=JANITOR_QUEUE,
    )
    yield f"deployment reap/{JANITOR}"
    for automation in pool.automations(janitor):
        apply_automation(client, automation)
        yield f"automation {automation.name}"


def changes(former: Mapping[str, Any], pool: WorkPoolCreate) -> list[str]:
    """Return in words what a pool's flow runs have otherwise from now on, unless their deployment says it."""
    before, after = _defaults(former), _defaults(pool.base_job_template)
    return [
        f"{name}: {after[name]}, before {before[name]}"
        for name in after
        if before.get(name) is not None and before[name] != after[name]
    ]


def _defaults(template: Mapping[str, Any]) -> dict[str, Any]:
    properties = (template.get("variables") or {}).get("properties") or {}
    return {name: each["default"] for name, each in properties.items() if "default" in each}


def apply_pool(client: SyncPrefectClient, pool: WorkPoolCreate) -> Iterator[str]:
    """Make or renew the pool and its queues; yield a line for each."""
    try:
        there = client.read_work_pool(pool.name)
    except ObjectNotFound:
        there, is_new, told = client.create_work_pool(pool), True, ""
    else:
        # A worker that finds no pool makes one, with a template of Prefect's: nobody has set anything there.
        is_new = DEADLINE not in (there.base_job_template.get("job_configuration") or {}).get("env", {})
        told = f" ({'; '.join(['renewed', *changes(there.base_job_template, pool)])})"
        renewed = WorkPoolUpdate(description=pool.description, base_job_template=pool.base_job_template)
        client.update_work_pool(pool.name, renewed)
    if is_new:
        # One benchmark at a time: a run that waits in the queue has no pod.
        client.update_work_queue(there.default_queue_id, concurrency_limit=1)
    yield f"work pool {pool.name}{told}"
    # The janitor waits for no benchmark; those of a day without a worker come one after the other, not all at once.
    if JANITOR_QUEUE not in {each.name for each in client.read_work_queues(work_pool_name=pool.name)}:
        client.create_work_queue(name=JANITOR_QUEUE, work_pool_name=pool.name, concurrency_limit=1)
    yield f"work queue {JANITOR_QUEUE}"
