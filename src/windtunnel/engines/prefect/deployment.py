"""Deployments on a Prefect server, made or renewed, and the pools and queues that they go to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound
from prefect.utilities.callables import parameter_schema

from windtunnel.engines.prefect import HEARTBEAT_SECONDS
from windtunnel.engines.prefect.tags import TAG
from windtunnel.errors import PlatformError, Unsupported
from windtunnel.suggest import suggest

if TYPE_CHECKING:
    from uuid import UUID

    from prefect import Flow
    from prefect.client.schemas.objects import WorkPool

POOL = "windtunnel"
JANITOR_POOL = "windtunnel-janitor"
KUBERNETES_POOL = "windtunnel-kubernetes"
PROCESSES, JOBS = "process", "kubernetes"
"""The types of work pools that benchmarks run in."""
GENERIC = "windtunnel"
"""What prefect.yaml calls the deployment of each strategy."""
ENVIRONMENT = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS)}


def worker_command(pool: str, queue: str | None = None, pool_type: str = PROCESSES) -> str:
    """Return the command of a worker: of processes, one that takes the runs of one queue, the default one if None."""
    command = f"prefect worker start --pool {pool}"
    # Without a queue's name it takes the runs of all of the pool's queues, which is right where it makes Jobs: the
    # janitor's among them. A limit would bound nothing there.
    return f"{command} --work-queue {queue or 'default'} --limit 1" if pool_type == PROCESSES else command


def find_pool(client: SyncPrefectClient, pool: str) -> WorkPool:
    """Return a work pool of processes or of Kubernetes' Jobs.

    Raises:
        PlatformError: There is none of that name; with what to do.
        Unsupported: It is of another type.
    """
    try:
        found = client.read_work_pool(pool)
    except ObjectNotFound:
        known = ", ".join(sorted(item.name for item in client.read_work_pools())) or "none"
        raise PlatformError(
            f"no work pool {pool!r} (there are: {known}); `windtunnel install prefect` makes one", code="no_work_pool"
        ) from None
    check_type(found, PROCESSES, JOBS)
    return found


def check_type(pool: WorkPool, *wanted: str) -> None:
    """Check that a pool is of one of some types (Unsupported otherwise)."""
    if pool.type not in wanted:
        types = " or ".join(wanted)
        raise Unsupported(f"work pool {pool.name!r} is of type {pool.type}; benchmarks need one of type {types}")


def check_queue(client: SyncPrefectClient, pool: str, queue: str) -> None:
    """Check that a work queue exists: Prefect would make one, without a limit (PlatformError otherwise)."""
    known = sorted(item.name for item in client.read_work_queues(work_pool_name=pool))
    if queue not in known:
        raise PlatformError(
            f"no work queue {queue!r} in the pool {pool!r}{suggest(queue, known)} (there are: {', '.join(known)});"
            f" make it with: prefect work-queue create {queue} --pool {pool} --limit 1",
            code="no_work_queue",
        )


def apply_deployment(
    client: SyncPrefectClient,
    flow: Flow[..., Any],
    name: str,
    schedule: CronSchedule | None,
    *,
    keep_schedule: bool = False,
    **options: Any,
) -> UUID:
    """Make or renew the deployment called `name`; return its id.

    Args:
        client: The server.
        flow: Importable from `windtunnel.engines.prefect.flows`, on the worker too.
        name: A deployment of the flow that is called so is replaced.
        schedule: When it runs by itself; None takes that of an earlier deployment away. A pause stays.
        keep_schedule: Whether a schedule that is there stays as it is.
        options: As the client's ``create_deployment`` takes them.
    """
    try:
        former = client.read_deployment_by_name(f"{flow.name}/{name}").schedules or []
    except ObjectNotFound:
        former = []
    return client.create_deployment(
        flow_id=client.create_flow(flow),
        name=name,
        entrypoint=f"windtunnel.engines.prefect.flows.{flow.name.replace('-', '_')}",
        # One that the flow does not have is refused where it is typed: Prefect itself lets it crash the run.
        parameter_openapi_schema=parameter_schema(flow).model_dump_for_openapi() | {"additionalProperties": False},
        enforce_parameter_schema=True,
        # The server forgets those that are not given again.
        schedules=_schedules(former, schedule, keep=keep_schedule),
        # One of the same name that prefect.yaml made would leave its own behind.
        **({"pull_steps": []} | options),
    )


def _schedules(
    former: list[DeploymentSchedule], schedule: CronSchedule | None, *, keep: bool
) -> list[DeploymentScheduleCreate]:
    """Return the schedules that a renewed deployment has: those of other people, and ours with its pause."""
    ours = next((item for item in former if item.slug == TAG), None)
    wanted = ours.schedule if ours and keep else schedule
    kept = [
        DeploymentScheduleCreate(
            schedule=item.schedule, active=item.active, slug=item.slug, parameters=item.parameters or {}
        )
        for item in former
        if item is not ours
    ]
    if wanted is None:
        return kept
    return [*kept, DeploymentScheduleCreate(schedule=wanted, active=ours.active if ours else True, slug=TAG)]
