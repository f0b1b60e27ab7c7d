"""Jobs of flow runs that are over although their pods never began: nobody else deletes them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound

if TYPE_CHECKING:
    from windtunnel.backends.kubernetes.api import Cluster

FLOW_RUN = "prefect.io/flow-run-id"
"""The label of a flow run's Job; Prefect takes whatever has it for such a Job."""


def end_unstarted(client: SyncPrefectClient, cluster: Cluster) -> list[str]:
    """Delete such Jobs of a namespace; return their names.

    A pod that cannot start (no image, no room) waits on when its flow run has crashed; once it
    could start, it would run what is over. A pod that began ends by itself.
    """
    found = []
    for job in cluster.find("Job", FLOW_RUN):
        status, metadata = job.get("status") or {}, job["metadata"]
        if status.get("active") and not status.get("ready") and _is_over(client, UUID(metadata["labels"][FLOW_RUN])):
            cluster.delete("Job", metadata["name"])
            found.append(f"Job {metadata['name']}")
    return found


def _is_over(client: SyncPrefectClient, flow_run: UUID) -> bool:
    try:
        state = client.read_flow_run(flow_run).state
    except ObjectNotFound:
        return True
    # Of one that has a verdict the pod has begun, and is ready no more when it ends.
    return state is not None and (state.is_crashed() or state.is_cancelled())
