"""One benchmark as a deployment of its own: stored on the server, with its schedule and time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim
from prefect.client.schemas.schedules import CronSchedule
from prefect.utilities.urls import url_for

from windtunnel.benchmark import Loaded
from windtunnel.deployments import flows
from windtunnel.deployments.server import POOL, apply_deployment, check_pool, prefect_server
from windtunnel.deployments.sources import StoredBenchmark
from windtunnel.engines.prefect import TAG
from windtunnel.engines.prefect.publisher import run_tags
from windtunnel.plan import Plan


@dataclass(frozen=True)
class Deployed:
    """A deployment as it is on the server now; times are RFC 3339 in the schedule's time zone."""

    id: str
    name: str
    pool: str
    schedule: str | None
    timezone: str | None
    next_run: str | None
    url: str | None


def deploy(
    loaded: Loaded, plan: Plan, pool: str = POOL, queue: str | None = None, *, options: dict[str, object] | None = None
) -> Deployed:
    """Store a benchmark on the configured Prefect server and deploy it under its name; again replaces it.

    Args:
        loaded: The benchmark; its overrides become parameters.
        plan: Its plan.
        pool: Work pool that its runs go to.
        queue: Work queue of that pool; else its default one.
        options: More parameters of the flow, such as ``{"strict": True}``.

    Raises:
        UsageError: No server is configured.
        PlatformError: The server does not answer, or has no such pool.
    """
    run = loaded.benchmark.run
    zone = run.timezone or "UTC"
    schedule = CronSchedule(cron=run.schedule, timezone=zone) if run.schedule else None
    parameters = {"benchmark": {"stored": plan.benchmark}, "overrides": list(loaded.overrides), **(options or {})}
    flow = flows.FLOWS[plan.strategy]
    with prefect_server() as client:
        check_pool(client, pool)
        _store(loaded, plan.benchmark)
        deployment = apply_deployment(
            client,
            flow,
            plan.benchmark,
            schedule,
            parameters=parameters,
            description=f"The benchmark {plan.benchmark}, as `windtunnel deploy` stored it.",
            tags=[TAG, plan.strategy, *run_tags(plan)],
            work_pool_name=pool,
            work_queue_name=queue,
        )
    return Deployed(
        id=str(deployment),
        name=f"{flow.name}/{plan.benchmark}",
        pool=pool,
        schedule=run.schedule,
        timezone=zone if schedule else None,
        next_run=next_run(run.schedule, zone) if run.schedule else None,
        url=url_for("deployment", obj_id=deployment),
    )


def next_run(cron: str, timezone: str) -> str:
    """Return when a schedule comes round next, RFC 3339 with the zone's offset then."""
    moment: datetime = next(CronSim(cron, datetime.now(ZoneInfo(timezone))))
    return moment.isoformat(timespec="minutes")


def _store(loaded: Loaded, name: str) -> None:
    StoredBenchmark(toml=loaded.text, folder=str(loaded.path.parent.absolute())).save(name, overwrite=True)
