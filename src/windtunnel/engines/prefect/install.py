"""What a Prefect server needs once: work pools, a janitor, and automations that end dead runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NoReturn
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

from windtunnel.engines.prefect import flows
from windtunnel.engines.prefect.deployment import (
    ENVIRONMENT,
    JANITOR_POOL,
    POOL,
    PROCESSES,
    apply_deployment,
    check_type,
    worker_command,
)
from windtunnel.engines.prefect.server import prefect_server
from windtunnel.engines.prefect.sources import StoredBenchmark
from windtunnel.engines.prefect.tags import TAG
from windtunnel.errors import UsageError
from windtunnel.install_options import Installed

SILENCE = timedelta(seconds=90)
"""Three heartbeats: a run that is silent so long is dead."""
_JANITOR_CRON = "*/15 * * * *"
_ALL_RUNS = ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"})
_OUR_RUNS = ResourceSpecification({"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"})


def install(store: Path, namespace: str | None) -> Installed:
    """Make what is missing on the configured server and renew what is ours; see `Installer`.

    Limits, pools and the janitor's schedule are left as somebody has set them.

    Raises:
        UsageError: No server is configured.
        Unsupported: A work pool of ours is there already, and is of another type; nothing was changed.
        PlatformError: It does not answer.
    """
    if namespace:
        as_manifests(namespace)
    with prefect_server() as client:
        for pool in client.read_work_pools():
            if pool.name in {POOL, JANITOR_POOL}:
                check_type(pool, PROCESSES)
        hints = [f"workers: {worker_command(POOL)}", f"         prefect worker start --pool {JANITOR_POOL}"]
        return Installed([*_install(client, store)], hints)


def as_manifests(_namespace: str | None) -> NoReturn:
    """Refuse: a server is no cluster (UsageError)."""
    raise UsageError("--namespace and --print go with kubernetes and argo")


def _install(client: SyncPrefectClient, store: Path) -> Iterator[str]:
    # One benchmark at a time on a target: the limit is the queue's, which counts runs by their state.
    yield from _make_pool(client, POOL, "Runs benchmarks, one at a time for each work queue.", limit=1)
    yield from _make_pool(client, JANITOR_POOL, "Cleans up after runs that crashed; needs a worker of its own.")
    StoredBenchmark.register_type_and_schema()
    yield f"block type {StoredBenchmark.get_block_type_slug()}"
    janitor = apply_deployment(
        client,
        flows.reap,
        "janitor",
        CronSchedule(cron=_JANITOR_CRON, timezone="UTC"),
        keep_schedule=True,
        parameters={"store": str(store.absolute())},
        job_variables={"env": ENVIRONMENT},
        description="Ends what crashed runs left behind on the machine of its worker.",
        tags=["windtunnel-janitor"],
        work_pool_name=JANITOR_POOL,
    )
    yield f"deployment reap/janitor on the pool {JANITOR_POOL}, for runs in {store.absolute()}"
    for automation in (_silent_is_crashed(), _crashed_is_reaped(janitor)):
        _apply(client, automation)
        yield f"automation {automation.name}"


def _make_pool(client: SyncPrefectClient, name: str, description: str, limit: int | None = None) -> Iterator[str]:
    try:
        client.read_work_pool(name)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        pool = client.create_work_pool(
            WorkPoolCreate(name=name, type="process", description=description, base_job_template=template)
        )
        if limit is not None:
            client.update_work_queue(pool.default_queue_id, concurrency_limit=limit)
        yield f"work pool {name}"
    else:
        yield f"work pool {name} (was there; left as it is)"


def _silent_is_crashed() -> AutomationCore:
    return AutomationCore(
        name="windtunnel: a silent run has crashed",
        description=f"No heartbeat for {SILENCE.seconds} s: its worker or its machine is gone.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match=_ALL_RUNS,
            match_related=_OUR_RUNS,
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=SILENCE,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=f"no heartbeat for {SILENCE.seconds} s")],
    )


def _crashed_is_reaped(janitor: UUID) -> AutomationCore:
    cause = {"__prefect_kind": "jinja", "template": "{{ flow_run.name }}: {{ flow_run.state.message }}"}
    return AutomationCore(
        name="windtunnel: a crashed run is cleaned up",
        description="Runs the janitor.",
        trigger=EventTrigger(
            expect={"prefect.flow-run.Crashed"},
            match=_ALL_RUNS,
            match_related=_OUR_RUNS,
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[RunDeployment(source="selected", deployment_id=janitor, parameters={"cause": cause})],
    )


def _apply(client: SyncPrefectClient, automation: AutomationCore) -> None:
    existing = client.read_automations_by_name(automation.name)
    if existing:
        client.update_automation(existing[0].id, automation)
    for more in existing[1:]:
        client.delete_automation(more.id)
    if not existing:
        client.create_automation(automation)
