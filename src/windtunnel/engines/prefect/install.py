"""What a Prefect server needs once: work pools, a janitor, and automations that end dead runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

from windtunnel.engines.prefect import flows
from windtunnel.engines.prefect.automations import apply_automation, crashed_is_reaped, silent_is_crashed
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
from windtunnel.engines.prefect.tags import JANITOR_TAG
from windtunnel.errors import UsageError
from windtunnel.install_options import Installed, InstallOptions

_JANITOR_CRON = "*/15 * * * *"


def install(options: InstallOptions) -> Installed:
    """Make what is missing on the configured server and renew what is ours; see `Installer`.

    Limits, pools of processes and the janitor's schedule are left as somebody has set them.

    Raises:
        UsageError: No server is configured.
        Unsupported: A work pool of ours is there already, and is of another type; nothing was changed.
        PlatformError: It does not answer.
    """
    if options.namespace:
        as_manifests(options)
    with prefect_server() as client:
        for pool in client.read_work_pools():
            if pool.name in {POOL, JANITOR_POOL}:
                check_type(pool, PROCESSES)
        hints = [f"workers: {worker_command(POOL)}", f"         prefect worker start --pool {JANITOR_POOL} --limit 1"]
        return Installed([*_install(client, options.store)], hints)


def as_manifests(_options: InstallOptions) -> NoReturn:
    """Refuse: a server is no cluster (UsageError)."""
    raise UsageError("--namespace and --print go with kubernetes and argo, and with --pool-type kubernetes")


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
        tags=[JANITOR_TAG],
        work_pool_name=JANITOR_POOL,
    )
    yield f"deployment reap/janitor on the pool {JANITOR_POOL}, for runs in {store.absolute()}"
    for automation in (silent_is_crashed(), crashed_is_reaped(janitor)):
        apply_automation(client, automation)
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
