"""The gate that a client's pod waits at, from the driver's side."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from windtunnel.backends.kubernetes import gated
from windtunnel.backends.kubernetes.gated import Gate
from windtunnel.errors import PlatformError

STEP = cast("Any", SimpleNamespace(name="client"))


class Stopped(Exception):
    """The driver gave up waiting."""


def gate(node: dict[str, str], monkeypatch: pytest.MonkeyPatch, looks: int = 5) -> Gate:
    """Return the gate of a workflow that has this node for its clients, and no pod; its driver waits for some looks."""
    monkeypatch.setattr(gated, "_LOOK_SECONDS", 0)
    left = iter(range(looks))

    def check() -> None:
        if next(left, None) is None:
            raise Stopped

    def wait_change(_holds: Callable[[], bool], _seconds: float) -> None:
        """Return at once."""

    workflow = {"status": {"nodes": {"a": {"displayName": "clients", **node}}}}
    cluster = SimpleNamespace(call=lambda _method, _path: workflow)
    watcher = SimpleNamespace(views=dict, wait_change=wait_change)
    place = cast("Any", SimpleNamespace(cluster=cluster, watcher=watcher))
    arranged = cast("Any", SimpleNamespace(workflow="w"))
    return Gate(place, arranged, check, lambda *_arguments: None)


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
        gate(node, monkeypatch).release(STEP, 3, [], cast("Any", None))


def test_a_pod_that_may_come_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the driver's clock, or somebody, says otherwise."""
    with pytest.raises(Stopped):
        gate({"phase": "Running"}, monkeypatch).release(STEP, 3, [], cast("Any", None))
