"""Whether the configured Prefect server can run benchmarks: it answers, and our work pools have workers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from windtunnel.backends import BACKENDS
from windtunnel.engines.prefect import is_server_named, quiet_settings
from windtunnel.errors import WindtunnelError
from windtunnel.extras import missing_extra

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import WorkPool

Row = tuple[str, str, str | None]
_POLLED = timedelta(seconds=60)
"""Within so long a worker that is up has told of itself: by default it does every 30 s."""


def rows() -> list[Row]:
    """Return what there is of a server, if one is configured: its kind, its name, and why it cannot be used, if so."""
    if not is_server_named():
        return []
    quiet_settings()
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    from windtunnel.engines.prefect.server import prefect_server

    found: list[Row] = []
    try:
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}), prefect_server() as client:
            found += _pools(client)
    except WindtunnelError as error:
        return [("server", "prefect", error.message)]
    return [("server", "prefect", None), *found]


def _pools(client: SyncPrefectClient) -> Iterator[Row]:
    from windtunnel.engines.prefect.deployment import JOBS, KUBERNETES_POOL, POOL, PROCESSES

    types = {POOL: PROCESSES, KUBERNETES_POOL: JOBS}
    pools = [pool for pool in client.read_work_pools() if pool.name in types]
    if not pools:
        yield "pool", POOL, "there is none yet: windtunnel install prefect"
    for pool in pools:
        yield "pool", pool.name, _why_not(client, pool, types[pool.name])


def _why_not(client: SyncPrefectClient, pool: WorkPool, wanted: str) -> str | None:
    if pool.type != wanted:
        return f"it is of type {pool.type}, not {wanted}"
    if wanted == "kubernetes" and (missing := missing_extra(wanted, BACKENDS[wanted].needs)):
        return missing
    if wanted == "kubernetes" and not _has_our_template(pool):
        return "its base job template is not this Windtunnel's: windtunnel install prefect --pool-type kubernetes"
    if pool.is_paused:
        return f"it is paused: prefect work-pool resume {pool.name}"
    return _why_no_worker(client, pool)


def _why_no_worker(client: SyncPrefectClient, pool: WorkPool) -> str | None:
    polls = [each.last_heartbeat_time for each in client.read_workers_for_work_pool(pool.name)]
    last = max((each for each in polls if each), default=None)
    if last is None:
        return f"it never had a worker: prefect worker start --pool {pool.name}"
    if (silence := datetime.now(UTC) - last) > _POLLED:
        return f"no worker has looked for work for {silence.total_seconds():.0f} s"
    return None


def _has_our_template(pool: WorkPool) -> bool:
    """Tell whether a pool makes the Jobs that this version would; what they are made with is the pool's own."""
    from windtunnel.engines.prefect.job_template import job_template

    ours, theirs = job_template(namespace="any"), pool.base_job_template
    return bool(ours["job_configuration"] == theirs.get("job_configuration"))
