"""Flow runs that are over or cancelled and never began: what the janitor ends, and what it leaves alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State, StateType

from windtunnel.backends.kubernetes.api import Cluster
from windtunnel.engines.prefect.unstarted_jobs import FLOW_RUN, end_unstarted


class PlayedCluster:
    """A namespace with Jobs and pods of flow runs."""

    namespace = "bench"

    def __init__(self, jobs: list[dict[str, Any]], pods: list[dict[str, Any]]) -> None:
        self.things, self.deleted = {"Job": jobs, "Pod": pods}, list[str]()

    def find(self, kind: str, selector: str) -> list[dict[str, Any]]:
        """Return what flow runs have of a kind."""
        assert selector == FLOW_RUN
        return self.things[kind]

    def delete(self, kind: str, name: str) -> None:
        """Keep what was deleted."""
        self.deleted.append(f"{kind} {name}")


class PlayedServer:
    """A server that has flow runs, each in a state; those that are Cancelling have a name and a Job's address."""

    def __init__(self, states: dict[UUID, StateType], cancelling: dict[UUID, tuple[str, str | None]]) -> None:
        self.states, self.cancelling, self.set = states, cancelling, dict[UUID, str]()

    def read_flow_run(self, run: UUID) -> SimpleNamespace:
        """Return a flow run."""
        return SimpleNamespace(state=State(type=self.states[run]))

    def read_flow_runs(self, **_filters: object) -> list[SimpleNamespace]:
        """Return those that are being cancelled and have not begun."""
        return [
            SimpleNamespace(id=run, name=name, infrastructure_pid=job) for run, (name, job) in self.cancelling.items()
        ]

    def set_flow_run_state(self, run: UUID, state: State[Any], *, force: bool) -> None:
        """Keep what was said."""
        assert force
        self.set[run] = str(state.name)


def job_of(flow_run: UUID, name: str, **status: Any) -> dict[str, Any]:
    """Return the Job of a flow run."""
    return {"metadata": {"name": name, "labels": {FLOW_RUN: str(flow_run)}}, "status": status}


def pod_of(flow_run: UUID, phase: str) -> dict[str, Any]:
    """Return the pod of a flow run."""
    return {"metadata": {"name": "pod", "labels": {FLOW_RUN: str(flow_run)}}, "status": {"phase": phase}}


def test_a_job_of_a_run_that_is_over_and_never_began_is_ended() -> None:
    """A Job whose pod runs, one that has ended, and one whose flow run may still begin, are left alone."""
    crashed, begun, pending, measured = (uuid4() for _ in range(4))
    states = {crashed: StateType.CRASHED, pending: StateType.PENDING, measured: StateType.COMPLETED}
    server = PlayedServer(states | {begun: StateType.CRASHED}, {})
    jobs = [
        job_of(crashed, "stuck", active=1, ready=0, terminating=0, uncountedTerminatedPods={}),
        job_of(crashed, "without a pod", ready=0, terminating=0, uncountedTerminatedPods={}),
        job_of(crashed, "ends in order", terminating=1),
        job_of(crashed, "just over", uncountedTerminatedPods={"failed": ["uid"]}),
        job_of(crashed, "ends", active=1, ready=1),
        job_of(crashed, "ended", failed=1),
        job_of(begun, "begun and not told of it", active=1),
        job_of(pending, "young", active=1),
        job_of(measured, "last moment", active=1),
    ]
    pods = [pod_of(crashed, "Pending"), pod_of(begun, "Running"), pod_of(pending, "Pending")]
    cluster = PlayedCluster(jobs, pods)
    found = end_unstarted(cast("SyncPrefectClient", server), cast("Cluster", cluster))

    assert found == cluster.deleted == ["Job stuck", "Job without a pod"]


def test_a_cancel_that_nobody_heeds_is_told_once_its_job_is_gone() -> None:
    """One whose pod has begun heeds it itself, and one of another namespace is for a janitor there."""
    stuck, lost, begun, other = (uuid4() for _ in range(4))
    runs = {stuck: ("stuck", "bench:stuck-1"), lost: ("lost", None), begun: ("begun", "bench:begun-1")}
    server = PlayedServer(dict.fromkeys((stuck, begun), StateType.CANCELLING), runs | {other: ("other", "lab:other-1")})
    jobs = [job_of(stuck, "stuck-1", active=1), job_of(begun, "begun-1", active=1)]
    cluster = PlayedCluster(jobs, [pod_of(stuck, "Pending"), pod_of(begun, "Running")])
    found = end_unstarted(cast("SyncPrefectClient", server), cast("Cluster", cluster))

    assert found == ["Job stuck-1", "flow run stuck", "flow run lost"]
    assert server.set == {stuck: "Cancelled", lost: "Cancelled"}
