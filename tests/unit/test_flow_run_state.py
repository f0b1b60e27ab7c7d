"""The state that a server has a flow run in, set right where the run lives and nowhere else."""

# ruff: noqa: E402 - Prefect may lack

from __future__ import annotations

import logging
import os
import signal
import time
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest

from support.needs import package
from support.played_prefect import server_says

package("prefect")

from prefect.settings import PREFECT_API_URL, temporary_settings

from windtunnel.backends.kubernetes import api
from windtunnel.backends.kubernetes.api import Cluster, Refused
from windtunnel.backends.kubernetes.settings import POD, POD_UID
from windtunnel.engines.prefect import own_pod
from windtunnel.engines.prefect.flow_pod import FLOW_POD
from windtunnel.engines.prefect.flow_run_state import FlowRunState
from windtunnel.engines.prefect.termination import flow_run_signals
from windtunnel.errors import PlatformError
from windtunnel.run.control import Control

POD_PATH, JOB_PATH = "/api/v1/namespaces/bench/pods/flow-1", "/apis/batch/v1/namespaces/bench/jobs/flow"
OWNERS = [{"kind": "Job", "name": "flow", "uid": "j-1"}]
GOING = "2026-11-30T02:00:00Z"


def thing(*conditions: dict[str, str], **metadata: object) -> dict[str, Any]:
    """Return an object with conditions that hold."""
    return {"metadata": metadata, "status": {"conditions": [{"status": "True"} | each for each in conditions]}}


EVICTED = {"type": "DisruptionTarget", "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting"}
OVERDUE = {"type": "FailureTarget", "reason": "DeadlineExceeded", "message": "Job was active longer"}
JOB = thing(uid="j-1")
LIVING = {POD_PATH: thing(EVICTED | {"status": "False"}, uid="u-1", ownerReferences=OWNERS), JOB_PATH: JOB}


class Played(Cluster):
    """A namespace that has some objects, or does not say."""

    objects: dict[str, dict[str, Any]] | None

    def ask(self, method: str, path: str, *_more: object, **_options: object) -> Any:
        """Answer with an object."""
        assert method == "GET"
        if self.objects is None:
            raise OSError("no route to host")
        if path not in self.objects:
            raise Refused(404, "not found")
        return self.objects[path]


class Uncancelled(FlowRunState):
    """The state of a flow run that nobody has cancelled, as its server has just said."""

    def is_cancelled(self) -> bool:
        """Say so."""
        return False


def look(control: Control) -> list[dict[str, Any]]:
    """Look twice at a flow run that the server takes for dead; return what it is told then, and only then."""
    told: list[dict[str, Any]] = []
    with server_says("CRASHED", told) as address, temporary_settings({PREFECT_API_URL: address}):
        state = FlowRunState(UUID(int=1), control, logging.getLogger())
        state.look()
        assert not told, "a run that stood still may have to end itself"
        state.look()
    return told


def test_a_run_that_is_taken_for_dead_says_that_it_lives() -> None:
    """A server that was away has missed its heartbeats."""
    (told,) = look(Control(3600))
    assert (told["state"]["type"], told["force"]) == ("RUNNING", True)


CASES: dict[str, tuple[dict[str, dict[str, Any]] | None, str | None]] = {
    "both are there": (LIVING, None),
    "no Job": (LIVING | {POD_PATH: thing(uid="u-1")}, None),
    "Job gone": ({POD_PATH: LIVING[POD_PATH]}, "its Job was deleted"),
    "another Job": (LIVING | {JOB_PATH: thing(uid="j-2")}, "its Job was deleted"),
    "Job goes": (LIVING | {JOB_PATH: thing(uid="j-1", deletionTimestamp=GOING)}, "its Job was deleted"),
    "Job overdue": (LIVING | {JOB_PATH: thing(OVERDUE, uid="j-1")}, "DeadlineExceeded: Job was active longer"),
    "pod goes": (LIVING | {POD_PATH: thing(uid="u-1", deletionTimestamp=GOING)}, "it was deleted"),
    "evicted": (LIVING | {POD_PATH: thing(EVICTED, uid="u-1")}, "EvictionByEvictionAPI: Eviction API: evicting"),
    "pod gone": ({}, "it is gone"),
    "not known": (None, "evicted, its node drained, or deleted"),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """Be a pod of a namespace that has some objects; why it has to go, in words."""
    objects, words = CASES[request.param]
    cluster = Played(Mock(), "bench", "played")
    object.__setattr__(cluster, "objects", objects)
    monkeypatch.setattr(api, "connect", lambda: cluster)
    monkeypatch.setenv(POD, "flow-1")
    monkeypatch.setenv(POD_UID, "u-1")
    return words


def test_a_pod_says_that_it_lives_only_while_the_cluster_keeps_it(case: str | None) -> None:
    """Prefect's worker tells at once that a run whose Job was deleted has crashed: the two would contradict."""
    assert bool(look(Control(3600))) is (case is None)


def test_a_pod_that_has_to_go_says_why(case: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the cluster tells it; that it has to go is known without."""
    monkeypatch.setenv(FLOW_POD, "1")
    control = Control(3600)
    with flow_run_signals(control, Uncancelled(UUID(int=1), control, logging.getLogger())):
        os.kill(os.getpid(), signal.SIGTERM)
        deadline = time.monotonic() + 60
        while not control.failure:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    words = case or "evicted, its node drained, or deleted"
    assert control.failure.message == f"the flow run's pod was told to end ({words}), and nobody cancelled the run"


@pytest.mark.parametrize("case", ["pod gone"], indirect=True)
def test_a_pod_that_is_not_found_when_its_flow_begins_is_not_gone(case: str | None) -> None:
    """It is one of another namespace than its runs have."""
    assert (own_pod.why_it_goes(), own_pod.why_it_goes(at_start=True)) == (case, None)


def test_a_run_that_ends_does_not_say_that_it_lives() -> None:
    """Its final state is told soon, and may follow that it has crashed."""
    failed, cancelled = Control(3600), Control(3600)
    failed.fail(PlatformError("evicted", code="driver_evicted"))
    cancelled.cancel("by somebody")
    assert look(failed) == look(cancelled) == []
