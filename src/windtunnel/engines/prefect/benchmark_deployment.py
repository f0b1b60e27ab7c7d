"""One benchmark as a deployment of its own: stored on the server, with its schedule and time zone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName, DeploymentFilterTags
from prefect.client.schemas.objects import WorkPool
from prefect.client.schemas.schedules import CronSchedule
from prefect.server.schemas.schedules import CronSchedule as ServerCronSchedule
from prefect.utilities.urls import url_for
from pydantic import SecretStr, ValidationError

from windtunnel.backends import make_backend
from windtunnel.backends.support import check_support
from windtunnel.benchmark import Loaded
from windtunnel.engines.prefect import flow_job, flows
from windtunnel.engines.prefect.deployment import (
    ENVIRONMENT,
    GENERIC,
    JOBS,
    POOL,
    apply_deployment,
    check_queue,
    find_pool,
)
from windtunnel.engines.prefect.server import prefect_server
from windtunnel.engines.prefect.sources import StoredBenchmark, as_toml
from windtunnel.engines.prefect.tags import TAG, run_tags
from windtunnel.engines.request import find_store
from windtunnel.errors import UsageError
from windtunnel.plan import Plan
from windtunnel.secrets import Redaction


@dataclass(frozen=True)
class Target:
    """Where a deployment's runs go.

    Attributes:
        pool: Work pool.
        queue: Work queue of that pool; else its default one.
        backend: Where steps run; else the one that goes with the pool.
        folder: On processes, where runs start, as the worker sees it, the current folder unless another is given:
            relative paths of the benchmark begin there.
        image: On Kubernetes, the image of flows' pods; else the pool's.
        namespace: On Kubernetes, where their Jobs are made; else the pool's.
    """

    pool: str = POOL
    queue: str | None = None
    backend: str | None = None
    folder: Path | None = None
    image: str | None = None
    namespace: str | None = None


@dataclass(frozen=True)
class Deployed:
    """A deployment as it is on the server now; `next_run` is RFC 3339 in the schedule's time zone."""

    id: str
    name: str
    pool: str
    pool_type: str
    queue: str | None
    backend: str
    store: str
    schedule: str | None
    timezone: str | None
    next_run: str | None
    url: str | None


def deploy(loaded: Loaded, plan: Plan, target: Target, *, strict: bool = False) -> Deployed:
    """Store a benchmark on the configured Prefect server and deploy it under its name; again replaces it.

    Args:
        loaded: The benchmark; it is stored with its overrides applied.
        plan: Its plan.
        target: Where its runs go.
        strict: Whether a suspect result is a failure.

    Raises:
        UsageError: No server is configured, or the name, the schedule or the store cannot be deployed.
        Unsupported: The pool's workers, or the backend, cannot run it.
        PlatformError: The server does not answer, or has no such pool or queue.
    """
    if plan.benchmark == GENERIC:
        raise UsageError(f"benchmark.name: {GENERIC!r} is what prefect.yaml calls its deployments; choose another")
    schedule, zone = _schedule(loaded), loaded.benchmark.run.timezone or "UTC"
    flow = flows.FLOWS[plan.strategy]
    with prefect_server() as client:
        pool = find_pool(client, target.pool)
        if target.queue:
            check_queue(client, target.pool, target.queue)
        place = (_in_job if pool.type == JOBS else _in_process)(loaded, plan, target, pool)
        _store(loaded, plan.benchmark)
        source = {"benchmark": {"stored": plan.benchmark}, "store": place.store, "backend": place.backend}
        deployment = apply_deployment(
            client,
            flow,
            plan.benchmark,
            schedule,
            parameters=source | {"strict": strict},
            description=f"The benchmark {plan.benchmark}, as `windtunnel deploy` stored it.",
            tags=[TAG, plan.strategy, *run_tags(plan, loaded.redaction)],
            work_pool_name=target.pool,
            work_queue_name=target.queue,
            job_variables=place.job_variables,
            pull_steps=place.pull_steps,
        )
        _remove_former(client, deployment, plan.benchmark)
    return Deployed(
        id=str(deployment),
        name=f"{flow.name}/{plan.benchmark}",
        pool=target.pool,
        pool_type=pool.type,
        queue=target.queue,
        backend=place.backend,
        store=place.store,
        schedule=schedule.cron if schedule else None,
        timezone=zone if schedule else None,
        next_run=_next_run(schedule) if schedule else None,
        url=Redaction().text(url_for("deployment", obj_id=deployment) or "") or None,
    )


@dataclass(frozen=True)
class _Place:
    """How a deployment's runs are started where they go."""

    backend: str
    store: str
    job_variables: dict[str, Any]
    pull_steps: list[dict[str, Any]] = field(default_factory=list)


def _in_process(loaded: Loaded, plan: Plan, target: Target, _pool: WorkPool) -> _Place:
    """Return the place of a flow that a worker runs as a process (UsageError, Unsupported)."""
    if target.image or target.namespace:
        option = "--image" if target.image else "--namespace"
        raise UsageError(f"{option}: work pool {target.pool!r} has processes; that goes with one of type {JOBS}")
    backend = make_backend(target.backend or "process")
    store, remote = find_store(loaded.benchmark.output.store, backend)
    check_support(plan, backend)
    folder = target.folder or Path.cwd()
    variables = {"env": ENVIRONMENT, "working_dir": str(folder)}
    return _Place(backend.name, str(remote or folder / store), variables)


def _in_job(loaded: Loaded, plan: Plan, target: Target, pool: WorkPool) -> _Place:
    """Return the place of a flow that is in a Job of its own on Kubernetes (UsageError, Unsupported)."""
    if target.folder:
        raise UsageError(f"--folder: a pod starts in a folder of its own; work pool {target.pool!r} is of type {JOBS}")
    backend = make_backend(target.backend or flow_job.BACKEND)
    store, remote = find_store(loaded.benchmark.output.store, backend)
    flow_job.check_in_pod(plan, backend, remote or store)
    check_support(plan, backend)
    variables = flow_job.job_variables(plan, target.image, target.namespace)
    flow_job.check_pool_jobs(pool, variables)
    return _Place(backend.name, str(remote), variables, [flow_job.PULL_STEP])


def _schedule(loaded: Loaded) -> CronSchedule | None:
    run = loaded.benchmark.run
    if not run.schedule:
        return None
    try:
        return CronSchedule(cron=run.schedule, timezone=run.timezone or "UTC")
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise UsageError(f"{loaded.path}: run.schedule: Prefect cannot take {run.schedule!r}: {reason}") from None


def _next_run(schedule: CronSchedule) -> str:
    """Return when Prefect will run it next: schedulers differ in what some expressions mean."""
    server_side = ServerCronSchedule(cron=schedule.cron, timezone=schedule.timezone, day_or=schedule.day_or)
    (moment,) = asyncio.run(server_side.get_dates(1))
    return moment.isoformat(timespec="minutes")


def _store(loaded: Loaded, name: str) -> None:
    text = as_toml(loaded.benchmark) if loaded.overrides else loaded.text
    folder = str(loaded.path.parent.absolute())
    StoredBenchmark(toml=SecretStr(text), folder=folder).save(name, overwrite=True)


def _remove_former(client: SyncPrefectClient, current: UUID, name: str) -> None:
    """Delete the benchmark's deployments of other strategies: it has another one now."""
    ours = DeploymentFilter(
        name=DeploymentFilterName(any_=[name]), tags=DeploymentFilterTags(all_=[TAG, f"benchmark:{name}"])
    )
    for former in client.read_deployments(deployment_filter=ours):
        if former.id != current:
            client.delete_deployment(former.id)
