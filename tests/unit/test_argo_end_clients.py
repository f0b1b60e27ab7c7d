"""What becomes of a client's pod that waits for a run that is over: without a cluster."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any, cast

import pytest

from windtunnel.backends.kubernetes.api import Cluster, Refused
from windtunnel.backends.kubernetes.naming import ITERATION
from windtunnel.backends.labels import RUN
from windtunnel.engines.argo.end_clients import ClientPods, end_clients
from windtunnel.engines.argo.labels import COMPONENT
from windtunnel.engines.argo.pod_patch import GATE

NAME, WORDS = "bench-abcde", "not_ready: server was not ready"


class Clients:
    """A cluster in which Argo makes one workflow's pods, a list of them at each look."""

    namespace = "default"

    def __init__(self, *looks: list[dict[str, Any]], shutdown: str = "", refusal: Refused | None = None) -> None:
        self.looks, self.spec, self.refusal = list(looks), {"shutdown": shutdown}, refusal
        self.nodes: dict[str, Any] = {}
        self.phase = "Running"
        self.failed: dict[str, dict[str, Any]] = {}

    def find(self, _kind: str, _selector: str) -> list[dict[str, Any]]:
        """Return the workflow's pods; the last list stays."""
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def path(self, kind: str, name: str) -> str:
        """Return where an object is."""
        return f"{kind}/{name}"

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Read or stop the workflow, or fail a pod."""
        if path.endswith("/status") and body:
            if self.refusal:
                raise self.refusal
            self.failed[path] = body["status"]
        elif method == "PATCH" and body:
            self.spec |= body["spec"]
        return {"spec": self.spec, "status": {"nodes": self.nodes, "phase": self.phase}}

    @property
    def cluster(self) -> Cluster:
        """What the code under test takes it for."""
        return cast("Cluster", self)


def pod(phase: str, name: str = "client-1", label: str = ITERATION, value: str = "1", **spec: Any) -> dict[str, Any]:
    """Return a pod of the workflow's."""
    return {"metadata": {"name": name, "labels": {label: value}}, "spec": spec, "status": {"phase": phase}}


HELD = pod("Pending", schedulingGates=[{"name": GATE}])
PLANNING = pod("Running", "plan-1", COMPONENT, "plan")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("windtunnel.engines.argo.end_clients._LOOK_SECONDS", 0)


def test_a_pod_that_waits_is_failed_in_the_runs_words() -> None:
    """Argo shows a pod's own message; it is awaited until Argo has made it. Nothing is stopped."""
    clients = Clients([], [PLANNING], [PLANNING, HELD])
    end_clients(clients.cluster, ClientPods(NAME, iterations=3), WORDS)

    (status,) = clients.failed.values()
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", "RunOver", WORDS)
    assert not clients.spec["shutdown"]


def test_a_pod_that_never_ran_says_when_it_ended() -> None:
    """Argo takes the latest end of its containers; of a pod without one, it shows a duration that grows."""
    clients = Clients([HELD])
    before = time.time()
    end_clients(clients.cluster, ClientPods(NAME), WORDS)
    (container,) = clients.failed["Pod/client-1/status"]["initContainerStatuses"]
    ended = datetime.fromisoformat(container["state"]["terminated"]["finishedAt"]).timestamp()

    assert container["name"] == "init"
    assert before - 0.001 <= ended <= time.time()


@pytest.mark.parametrize(
    "pods",
    [
        [pod("Failed")],
        [pod("Failed", "plan-1", COMPONENT, "plan")],
        [pod("Succeeded"), pod("Succeeded", "client-2", value="2")],
    ],
    ids=["one failed", "none was planned", "all are through"],
)
def test_where_no_pod_will_come_none_is_awaited(pods: list[dict[str, Any]]) -> None:
    """Argo makes no iteration after one that failed."""
    clients = Clients([pod("Running")], pods)
    end_clients(clients.cluster, ClientPods(NAME, iterations=2), WORDS)

    assert (clients.failed, clients.spec["shutdown"]) == ({}, "")


def test_a_pod_that_was_taken_away_is_not_awaited() -> None:
    """As the driver takes one away whose command was killed together with Argo's program; Argo itself may be gone."""
    clients = Clients([pod("Succeeded")])
    end_clients(clients.cluster, ClientPods(NAME, iterations=3, released=2), WORDS)

    assert (clients.failed, clients.spec["shutdown"]) == ({}, "")


def test_clients_that_argo_calls_over_are() -> None:
    """Whatever became of their pods."""
    clients = Clients([])
    clients.nodes = {
        "x": {"displayName": "drive", "phase": "Running"},
        "y": {"displayName": "clients", "phase": "Failed"},
    }
    end_clients(clients.cluster, ClientPods(NAME, iterations=1), WORDS)

    assert (clients.failed, clients.spec["shutdown"]) == ({}, "")


def test_a_workflow_that_was_stopped_makes_none() -> None:
    """By `argo stop`, or by the user who waits."""
    clients = Clients([], shutdown="Terminate")
    end_clients(clients.cluster, ClientPods(NAME), WORDS)

    assert clients.spec["shutdown"] == "Terminate"


def test_a_workflow_that_argo_gave_up_makes_none() -> None:
    """One that became too large has clients that go on for ever."""
    clients = Clients([pod("Succeeded")])
    clients.phase = "Error"
    end_clients(clients.cluster, ClientPods(NAME, iterations=9), WORDS)

    assert not clients.spec["shutdown"]


def test_a_workflow_is_stopped_if_its_pods_cannot_be_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the right, or if Argo makes none in time: nobody is left waiting."""
    older = Clients([HELD], refusal=Refused(403, "forbidden"))
    end_clients(older.cluster, ClientPods(NAME), WORDS)
    monkeypatch.setattr("windtunnel.engines.argo.end_clients.MAKING_SECONDS", 0.05)
    late = Clients([])
    end_clients(late.cluster, ClientPods(NAME), WORDS)

    assert older.spec["shutdown"] == late.spec["shutdown"] == "Stop"


def test_pods_of_a_matrixs_other_runs_are_left_alone() -> None:
    """One that failed in an earlier run does not mean that this run's pod will not come."""
    earlier, own = (pod("Failed", "client-a"), pod("Pending", "client-b", schedulingGates=[{"name": GATE}]))
    for each, run in ((earlier, "bench-20260101-000000-0f5c-12"), (own, "bench-20260101-000000-0f5c-2")):
        each["metadata"]["labels"][RUN] = run
    clients = Clients([earlier], [earlier, own])
    clients.nodes = {
        "x": {"name": "w.run-12.clients", "displayName": "clients", "phase": "Failed"},
        "y": {"name": "w.run-2.clients", "displayName": "clients", "phase": "Running"},
    }
    end_clients(clients.cluster, ClientPods(NAME, 2, iterations=1), WORDS)

    assert clients.failed.keys() == {"Pod/client-b/status"}
    assert not clients.spec["shutdown"]
