"""Flow runs that are over or cancelled although their pods never began: nobody else ends what they have.

Prefect's worker has done its part when a Job is made, and heeds a cancel only until then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled

from windtunnel.engines.prefect.deployment import KUBERNETES_POOL

if TYPE_CHECKING:
    from windtunnel.backends.kubernetes.api import Cluster

FLOW_RUN = "prefect.io/flow-run-id"
"""The label of a flow run's Job and its pod; Prefect takes whatever has it for such."""
# Of one that has a verdict the pod has begun, though its Job may not know yet that it has ended.
_NEVER_BEGIN = {StateType.CRASHED, StateType.CANCELLED, StateType.CANCELLING}


def end_unstarted(client: SyncPrefectClient, cluster: Cluster) -> list[str]:
    """Delete the Jobs of such flow runs in a namespace, and say that those are cancelled that were to be.

    A pod that cannot start (no image, no room), or be made (a quota, no account), waits on when its flow run has
    crashed; once it could start, it would run what is over. A pod that began ends by itself.

    Returns:
        The names of what was ended.
    """
    jobs = {job["metadata"]["name"]: _flow_run(job) for job in cluster.find("Job", FLOW_RUN) if not _has_begun(job)}
    # A Job is told of its pod late.
    begun = {_flow_run(pod) for pod in cluster.find("Pod", FLOW_RUN) if pod["status"].get("phase") != "Pending"}
    found = [name for name, run in jobs.items() if run not in begun and _is_over(client, run)]
    for name in found:
        cluster.delete("Job", name)
    waiting = {run for name, run in jobs.items() if name not in found} | begun
    cancelled = [run for run in _cancelling(client, cluster.namespace) if run.id not in waiting]
    for run in cancelled:
        client.set_flow_run_state(run.id, Cancelled(message="cancelled before its pod began"), force=True)
    return [f"Job {name}" for name in found] + [f"flow run {run.name}" for run in cancelled]


def _flow_run(thing: dict[str, Any]) -> UUID:
    """Return the id of the flow run that a Job or a pod is of."""
    return UUID(thing["metadata"]["labels"][FLOW_RUN])


def _has_begun(job: Mapping[str, Any]) -> bool:
    """Tell whether a pod of a Job runs, or has run; the Job of one that cannot be made has no active pod either."""
    status = job.get("status") or {}
    counts = ("ready", "terminating", "succeeded", "failed")
    return any(status.get(name) for name in counts) or any((status.get("uncountedTerminatedPods") or {}).values())


def _is_over(client: SyncPrefectClient, flow_run: UUID) -> bool:
    try:
        state = client.read_flow_run(flow_run).state
    except ObjectNotFound:
        return True
    return state is not None and state.type in _NEVER_BEGIN


def _cancelling(client: SyncPrefectClient, namespace: str) -> Iterator[FlowRun]:
    """Yield the pool's flow runs that are being cancelled, never began, and have no Job in another namespace."""
    found = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CANCELLING])),
            start_time=FlowRunFilterStartTime(is_null_=True),
        ),
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[KUBERNETES_POOL])),
    )
    for run in found:
        # NAMESPACE:JOB, once the worker has made one.
        if not run.infrastructure_pid or run.infrastructure_pid.startswith(f"{namespace}:"):
            yield run
