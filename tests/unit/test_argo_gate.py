"""The gate that a client's pod waits at, from the driver's side."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from windtunnel.backends.kubernetes.naming import ITERATION
from windtunnel.backends.kubernetes.pod_maker import DRIVER_PODS, PodOrder
from windtunnel.backends.kubernetes.pods import PodView
from windtunnel.backends.labels import STEP
from windtunnel.engines.argo import pod_gate
from windtunnel.engines.argo.pod_gate import GatedPods
from windtunnel.engines.argo.pod_patch import GATE
from windtunnel.errors import PlatformError

UNIT = SimpleNamespace(step=SimpleNamespace(name="client"), iteration=3)
PODS = GatedPods(None, "w", "/api/v1/namespaces/n/pods", "bench-1")


class Stopped(Exception):
    """The driver gave up waiting."""


def order(node: dict[str, str], monkeypatch: pytest.MonkeyPatch, looks: int = 5) -> PodOrder:
    """Return the order of a pod whose workflow has this node for its clients, and no pod; it is awaited some looks."""
    monkeypatch.setattr(pod_gate, "_LOOK_SECONDS", 0)
    left = iter(range(looks))

    def check() -> None:
        if next(left, None) is None:
            raise Stopped

    def wait(_holds: Callable[[], bool], _seconds: float) -> None:
        """Return at once."""

    workflow = {"status": {"nodes": {"a": {"displayName": "clients", **node}}}}
    cluster = SimpleNamespace(call=lambda _method, _path: workflow)
    watcher = SimpleNamespace(views=dict, notifier=SimpleNamespace(wait=wait))
    resources = SimpleNamespace(cluster=cluster, watcher=watcher, naming=None, check=check)
    return cast("PodOrder", SimpleNamespace(unit=UNIT, resources=resources))


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"phase": "Failed", "message": "exceeded quota"}, "exceeded quota"),
        ({"phase": "Error"}, "clients is Error"),
        ({"phase": "Succeeded"}, "clients is Succeeded"),
    ],
)
def test_a_pod_that_will_not_come_is_not_awaited(
    monkeypatch: pytest.MonkeyPatch, node: dict[str, str], words: str
) -> None:
    """One that was taken out of the workflow by hand too: it was awaited until the benchmark's timeout."""
    with pytest.raises(PlatformError, match=f"client: Argo makes no pod for it: {words}"):
        PODS.make(order(node, monkeypatch))


def test_a_workflow_that_argo_gave_up_makes_no_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that became too large has parts that go on for ever."""
    given_up = order({"phase": "Running"}, monkeypatch)
    given_up.resources.cluster.call("GET", "w")["status"] |= {"phase": "Error", "message": "workflow is too long"}
    with pytest.raises(PlatformError, match="Argo makes no pod for it: workflow is too long"):
        PODS.make(given_up)


def test_a_pod_that_may_come_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the driver's clock, or somebody, says otherwise."""
    with pytest.raises(Stopped):
        PODS.make(order({"phase": "Running"}, monkeypatch))


def test_a_pod_that_is_let_go_has_the_labels_of_any_other() -> None:
    """Argo made it from a patch of what is in it; the benchmark's labels, and which member it is, the driver knows."""
    labels = {STEP: "client", ITERATION: "3"}
    held = PodView({"metadata": {"name": "pod", "labels": labels}, "spec": {"schedulingGates": [{"name": GATE}]}})
    calls: list[tuple[str, str, Any]] = []
    cluster = SimpleNamespace(path=lambda kind, name: f"{kind}/{name}", call=lambda *words: calls.append(words))
    manifest = {
        "metadata": {"name": "client-1", "labels": {"app": "mine"}, "annotations": {"queue": "fast"}},
        "spec": {"affinity": {}},
    }
    watcher = SimpleNamespace(views=lambda: {"pod": held}, notifier=None)
    resources = SimpleNamespace(cluster=cluster, watcher=watcher)
    given = SimpleNamespace(unit=UNIT, manifest=manifest, hand_over=lambda _name: None, resources=resources)
    made = PODS.make(cast("PodOrder", given))

    assert made.name == "pod"
    body = {
        "metadata": {"labels": {"app": "mine"}, "annotations": {"queue": "fast"}},
        "spec": {"schedulingGates": None},
    }
    assert calls == [("PATCH", "Pod/pod", body)]


def test_a_driver_that_is_lost_stops_its_workflow_and_takes_its_own_clients_pods() -> None:
    """And those of no other run, and no pod but Argo's."""
    pods = "/api/v1/namespaces/n/pods?labelSelector=windtunnel.dev/run%3Dbench-1%2Cworkflows.argoproj.io/workflow"

    assert PODS.last_calls == (("PATCH", "w", {"spec": {"shutdown": "Stop"}}), ("DELETE", pods, None))


@pytest.mark.parametrize(
    ("status", "output", "is_missing"),
    [
        (64, "Error: failed to find name in PATH: exec: no such file", True),
        (64, "rate=1", False),
        (1, "Error: failed to find name in PATH: exec: no such file", False),
    ],
)
def test_argos_program_tells_that_there_is_no_such_command(status: int, output: str, is_missing: bool) -> None:  # noqa: FBT001
    """By its exit status and its words together: a command of the benchmark's may have either."""
    assert PODS.not_found(status, output) is is_missing
    assert not DRIVER_PODS.not_found(status, output)


def test_only_a_program_that_was_killed_cannot_tell_its_pod_of_the_end() -> None:
    """Argo's own container waits for its word; where the driver makes pods, the kubelet sees each end."""
    assert [status for status in (0, 1, 64, 137, 143) if PODS.is_silenced(status)] == [137]
    assert not DRIVER_PODS.is_silenced(137)
