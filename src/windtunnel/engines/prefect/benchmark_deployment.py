"""One benchmark as a deployment of its own: stored on the server, with its schedule and time zone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName, DeploymentFilterTags
from prefect.client.schemas.schedules import CronSchedule
from prefect.server.schemas.schedules import CronSchedule as ServerCronSchedule
from prefect.utilities.urls import url_for
from pydantic import SecretStr, ValidationError

from windtunnel.addresses import parse_store
from windtunnel.benchmark import Loaded
from windtunnel.engines.prefect import flows
from windtunnel.engines.prefect.deployment import (
    ENVIRONMENT,
    GENERIC,
    POOL,
    apply_deployment,
    check_pool,
    check_queue,
)
from windtunnel.engines.prefect.server import prefect_server
from windtunnel.engines.prefect.sources import StoredBenchmark, as_toml
from windtunnel.engines.prefect.tags import TAG, run_tags
from windtunnel.errors import UsageError
from windtunnel.plan import Plan
from windtunnel.secrets import Redaction


@dataclass(frozen=True)
class Target:
    """Where a deployment's runs go.

    Attributes:
        pool: Work pool.
        queue: Work queue of that pool; else its default one.
        folder: Where runs start, as the worker sees it: relative paths of the benchmark begin there.
    """

    pool: str = POOL
    queue: str | None = None
    folder: Path = field(default_factory=Path.cwd)


@dataclass(frozen=True)
class Deployed:
    """A deployment as it is on the server now; `next_run` is RFC 3339 in the schedule's time zone."""

    id: str
    name: str
    pool: str
    queue: str | None
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
        UsageError: No server is configured, or the name or the schedule cannot be deployed.
        Unsupported: The pool's workers cannot run it.
        PlatformError: The server does not answer, or has no such pool or queue.
    """
    if plan.benchmark == GENERIC:
        raise UsageError(f"benchmark.name: {GENERIC!r} is what prefect.yaml calls its deployments; choose another")
    schedule, zone = _schedule(loaded), loaded.benchmark.run.timezone or "UTC"
    place = parse_store(loaded.benchmark.output.store)
    store = str(target.folder / place if isinstance(place, Path) else place)
    flow = flows.FLOWS[plan.strategy]
    with prefect_server() as client:
        check_pool(client, target.pool)
        if target.queue:
            check_queue(client, target.pool, target.queue)
        _store(loaded, plan.benchmark)
        deployment = apply_deployment(
            client,
            flow,
            plan.benchmark,
            schedule,
            parameters={"benchmark": {"stored": plan.benchmark}, "store": store, "strict": strict},
            description=f"The benchmark {plan.benchmark}, as `windtunnel deploy` stored it.",
            tags=[TAG, plan.strategy, *run_tags(plan, loaded.redaction)],
            work_pool_name=target.pool,
            work_queue_name=target.queue,
            job_variables={"env": ENVIRONMENT, "working_dir": str(target.folder)},
        )
        _remove_former(client, deployment, plan.benchmark)
    return Deployed(
        id=str(deployment),
        name=f"{flow.name}/{plan.benchmark}",
        pool=target.pool,
        queue=target.queue,
        store=store,
        schedule=schedule.cron if schedule else None,
        timezone=zone if schedule else None,
        next_run=_next_run(schedule) if schedule else None,
        url=Redaction().text(url_for("deployment", obj_id=deployment) or "") or None,
    )


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
