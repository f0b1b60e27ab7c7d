"""The state that a server has a flow run in, set right where the run lives and nowhere else."""

# ruff: noqa: E402 - Prefect may lack

from __future__ import annotations

import logging
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
from windtunnel.engines.prefect.flow_run_state import FlowRunState
from windtunnel.errors import PlatformError
from windtunnel.run.control import Control

POD_PATH, JOB_PATH = "/api/v1/namespaces/bench/pods/flow-1", "/apis/batch/v1/namespaces/bench/jobs/flow"
OWNED_POD = {"uid": "u-1", "ownerReferences": [{"kind": "Job", "name": "flow", "uid": "j-1"}]}
LIVING = {POD_PATH: OWNED_POD, JOB_PATH: {"uid": "j-1"}}
GOING = {"deletionTimestamp": "2026-11-30T02:00:00Z"}


class Played(Cluster):
    """A namespace that has some objects, or does not say."""

    objects: dict[str, dict[str, Any]] | None

    def ask(self, method: str, path: str, *_more: object, **_options: object) -> Any:
        """Answer with an object's metadata."""
        assert method == "GET"
        if self.objects is None:
            raise OSError("no route to host")
        if path not in self.objects:
            raise Refused(404, "not found")
        return {"metadata": self.objects[path]}


def look(control: Control) -> list[dict[str, Any]]:
    """Look at a flow run that the server takes for dead; return what it is told then."""
    told: list[dict[str, Any]] = []
    with server_says("CRASHED", told) as address, temporary_settings({PREFECT_API_URL: address}):
        FlowRunState(UUID(int=1), control, logging.getLogger()).look()
    return told


def test_a_run_that_is_taken_for_dead_says_that_it_lives() -> None:
    """A server that was away has missed its heartbeats."""
    (told,) = look(Control(3600))
    assert (told["state"]["type"], told["force"]) == ("RUNNING", True)


@pytest.mark.parametrize(
    ("objects", "is_said"),
    [
        (LIVING, True),
        ({**LIVING, POD_PATH: {"uid": "u-1"}}, True),
        ({POD_PATH: OWNED_POD}, False),
        ({**LIVING, JOB_PATH: {"uid": "j-2"}}, False),
        ({**LIVING, JOB_PATH: {"uid": "j-1"} | GOING}, False),
        ({**LIVING, POD_PATH: OWNED_POD | GOING}, False),
        ({}, False),
        (None, False),
    ],
    ids=["both are there", "no Job", "Job gone", "another Job", "Job goes", "pod goes", "pod gone", "not known"],
)
def test_a_pod_says_so_only_while_the_cluster_keeps_it(
    monkeypatch: pytest.MonkeyPatch, objects: dict[str, dict[str, Any]] | None, *, is_said: bool
) -> None:
    """Prefect's worker tells at once that a run whose Job was deleted has crashed: the two would contradict."""
    cluster = Played(Mock(), "bench", "played")
    object.__setattr__(cluster, "objects", objects)
    monkeypatch.setattr(api, "connect", lambda: cluster)
    monkeypatch.setenv(POD, "flow-1")
    monkeypatch.setenv(POD_UID, "u-1")
    assert bool(look(Control(3600))) is is_said


def test_a_run_that_ends_does_not_say_that_it_lives() -> None:
    """Its final state is told soon, and may follow that it has crashed."""
    failed, cancelled = Control(3600), Control(3600)
    failed.fail(PlatformError("evicted", code="driver_evicted"))
    cancelled.cancel("by somebody")
    assert look(failed) == look(cancelled) == []
