"""Jobs of flow runs that are over although their pods never began: nobody else deletes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound

if TYPE_CHECKING:
    from windtunnel.backends.kubernetes.api import Cluster

FLOW_RUN = "prefect.io/flow-run-id"
"""The label of a flow run's Job; Prefect takes whatever has it for such a Job."""


def end_unstarted(client: SyncPrefectClient, cluster: Cluster) -> list[str]:
    """Delete such Jobs of a namespace; return their names.

    A pod that cannot start (no image, no room), or be made (a quota, no account), waits on when its flow run has
    crashed; once it could start, it would run what is over. A pod that began ends by itself.
    """
    found = []
    for job in cluster.find("Job", FLOW_RUN):
        status, metadata = job.get("status") or {}, job["metadata"]
        if not _has_begun(status) and _is_over(client, UUID(metadata["labels"][FLOW_RUN])):
            cluster.delete("Job", metadata["name"])
            found.append(f"Job {metadata['name']}")
    return found


def _has_begun(status: Mapping[str, Any]) -> bool:
    """Tell whether a pod of a Job runs, or has run; the Job of one that cannot be made has no active pod either."""
    counts = ("ready", "terminating", "succeeded", "failed")
    return any(status.get(name) for name in counts) or any((status.get("uncountedTerminatedPods") or {}).values())


def _is_over(client: SyncPrefectClient, flow_run: UUID) -> bool:
    try:
        state = client.read_flow_run(flow_run).state
    except ObjectNotFound:
        return True
    # Of one that has a verdict the pod has begun, and is ready no more when it ends.
    return state is not None and (state.is_crashed() or state.is_cancelled())
