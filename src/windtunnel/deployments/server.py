"""The Prefect server that deployments go to: found, and asked whether it answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import get_current_settings
from prefect.utilities.callables import parameter_schema

from windtunnel.engines.prefect import TAG
from windtunnel.errors import PlatformError, UsageError

if TYPE_CHECKING:
    from uuid import UUID

    from prefect import Flow

POOL = "windtunnel"
JANITOR_POOL = "windtunnel-janitor"
ENVIRONMENT = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
"""Of every flow run: often enough that an automation can tell a dead one within two minutes."""


@contextmanager
def prefect_server() -> Iterator[SyncPrefectClient]:
    """Yield a client of the configured server.

    Raises:
        UsageError: No server is configured; a temporary one keeps no deployments.
        PlatformError: It does not answer, or it refuses what it is asked.
    """
    url = get_current_settings().api.url
    if not url:
        raise UsageError(
            "no Prefect server is configured; start one with `prefect server start`, and set"
            " PREFECT_API_URL=http://127.0.0.1:4200/api (or `prefect config set PREFECT_API_URL=…`)"
        )
    with get_client(sync_client=True) as client:
        if problem := client.api_healthcheck():
            raise PlatformError(f"the Prefect server at {url} does not answer: {problem}", code="prefect_unreachable")
        try:
            yield client
        except (PrefectHTTPStatusError, httpx.HTTPError) as error:
            raise PlatformError(f"the Prefect server at {url}: {error}", code="prefect_refused") from None


def check_pool(client: SyncPrefectClient, pool: str) -> None:
    """Check that a work pool exists (PlatformError with what to do, otherwise)."""
    try:
        client.read_work_pool(pool)
    except ObjectNotFound:
        known = ", ".join(sorted(item.name for item in client.read_work_pools())) or "none"
        raise PlatformError(
            f"no work pool {pool!r} (there are: {known}); `windtunnel install prefect` makes one", code="no_work_pool"
        ) from None


def apply_deployment(
    client: SyncPrefectClient, flow: Flow[..., Any], name: str, schedule: CronSchedule | None, **options: Any
) -> UUID:
    """Make or renew the deployment called `name`; return its id.

    Args:
        client: The server.
        flow: Importable from `windtunnel.deployments.flows`, on the worker too.
        name: A deployment of the flow that is called so is replaced.
        schedule: When it runs by itself; without one, the schedule of an earlier deployment goes.
        options: As the client's ``create_deployment`` takes them.
    """
    attribute = flow.name.replace("-", "_")
    created: UUID = client.create_deployment(
        flow_id=client.create_flow(flow),
        name=name,
        entrypoint=f"windtunnel.deployments.flows.{attribute}",
        parameter_openapi_schema=parameter_schema(flow).model_dump_for_openapi(),
        enforce_parameter_schema=True,
        # A worker starts each run in a folder that it removes afterwards: results would go with it.
        job_variables={"env": ENVIRONMENT, "working_dir": str(Path.cwd())},
        **options,
    )
    _apply_schedule(client, created, schedule)
    return created


def _apply_schedule(client: SyncPrefectClient, deployment: UUID, schedule: CronSchedule | None) -> None:
    """Leave exactly this schedule among those with our slug; a pause that somebody made stays."""
    active = True
    for existing in client.read_deployment_schedules(deployment):
        if existing.slug == TAG:
            if existing.schedule == schedule:
                return
            active = existing.active
            client.delete_deployment_schedule(deployment, existing.id)
    if schedule:
        wanted = DeploymentScheduleCreate(schedule=schedule, active=active, slug=TAG)
        client._client.post(  # noqa: SLF001 - the client's own method cannot give a slug
            f"/deployments/{deployment}/schedules", json=[wanted.model_dump(mode="json", exclude_unset=True)]
        ).raise_for_status()
