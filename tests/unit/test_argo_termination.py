"""SIGTERM in a driver's pod: a cancel where the workflow is to end, an eviction where the pod alone has to go."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from windtunnel.backends.kubernetes.api import NOT_FOUND, Cluster, Refused
from windtunnel.backends.kubernetes.settings import POD, POD_UID
from windtunnel.engines.argo.termination import Termination
from windtunnel.errors import Cancelled, PlatformError
from windtunnel.run.control import Control

EVICTED = {
    "metadata": {"name": "drive-1", "uid": "u-1", "deletionTimestamp": "2026-01-01T00:00:00Z"},
    "status": {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}]},
}
DELETED = {"metadata": EVICTED["metadata"]}
THERE = {"metadata": {"name": "drive-1", "uid": "u-1"}}
GOES_ON: dict[str, Any] = {"metadata": {}, "spec": {}}


class Told:
    """A cluster that tells of one workflow and of its driver's pod."""

    namespace = "bench"

    def __init__(self, workflow: dict[str, Any] | None, pod: dict[str, Any]) -> None:
        self.workflow, self.pod = workflow, pod

    def path(self, kind: str, name: str) -> str:
        """Return where an object is."""
        return f"{kind}/{name}"

    def ask(self, _method: str, path: str, **_options: object) -> dict[str, Any]:
        """Answer."""
        found = self.pod if path.startswith("Pod/") else self.workflow
        if found is None:
            raise Refused(NOT_FOUND, "not found")
        return found

    @property
    def cluster(self) -> Cluster:
        """What the code under test takes it for."""
        return cast("Cluster", self)


@pytest.fixture(autouse=True)
def _own_pod(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(POD, "drive-1")
    monkeypatch.setenv(POD_UID, "u-1")
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def ended(told: Told) -> Exception:
    """Return what a run ends with whose driver got a SIGTERM before it began, and one while it goes on."""
    termination, control = Termination(told.cluster, "w"), Control(3600)
    os.kill(os.getpid(), signal.SIGTERM)
    with termination.ends(control):
        os.kill(os.getpid(), signal.SIGTERM)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                control.check()
            except (Cancelled, PlatformError) as error:
                return error
            time.sleep(0.01)
    raise AssertionError("the signal was not heard")


@pytest.mark.parametrize(
    ("workflow", "pod"),
    [
        (GOES_ON | {"spec": {"shutdown": "Stop"}}, THERE),
        (GOES_ON | {"spec": {"shutdown": "Terminate"}}, DELETED),
        (GOES_ON | {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, DELETED),
        (None, DELETED),
        (GOES_ON, THERE),
    ],
    ids=["stopped", "terminated", "being deleted", "deleted", "nobody says why"],
)
def test_a_driver_whose_workflow_is_to_end_is_cancelled(workflow: dict[str, Any] | None, pod: dict[str, Any]) -> None:
    """Whatever becomes of its pod."""
    error = ended(Told(workflow, pod))

    assert isinstance(error, Cancelled)
    assert error.message.startswith("stopped: Argo asked for it")


@pytest.mark.parametrize(("pod", "words"), [(EVICTED, "EvictionByEvictionAPI"), (DELETED, "it was deleted")])
def test_a_driver_whose_pod_has_to_go_fails_as_the_platforms_fault(pod: dict[str, Any], words: str) -> None:
    """Nobody asked for the run's end, so it is no cancel; it ends in order, and what was measured is kept."""
    error = ended(Told(GOES_ON, pod))

    assert isinstance(error, PlatformError)
    assert (error.code, words in error.message) == ("driver_evicted", True)
