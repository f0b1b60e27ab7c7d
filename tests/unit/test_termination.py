"""SIGTERM in a flow run: a cancel on a machine, and in a pod only if the server says that the run is cancelled."""

# ruff: noqa: E402 - Prefect may lack

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from uuid import UUID, uuid4

import pytest

from support.lab import free_port
from support.needs import package
from support.played_prefect import server_says

package("prefect")

from prefect.settings import PREFECT_API_URL, temporary_settings

from windtunnel.engines.prefect import termination
from windtunnel.engines.prefect.flow_pod import FLOW_POD
from windtunnel.engines.prefect.flow_run_state import FlowRunState
from windtunnel.engines.prefect.termination import CANCEL_GRACE_SECONDS, EVICTION_GRACE_SECONDS, flow_run_signals
from windtunnel.errors import Cancelled, PlatformError
from windtunnel.run.control import Control, GracePeriod


class KnowsItsState(FlowRunState):
    """The state of a flow run whose server has just been asked."""

    def __init__(self, control: Control, *, is_cancelled: bool) -> None:
        super().__init__(uuid4(), control, logging.getLogger())
        self._is_cancelled = is_cancelled

    def is_cancelled(self) -> bool:
        """Return what the server said."""
        return self._is_cancelled


def terminate(is_heard: Callable[[], object]) -> None:
    """Send SIGTERM to this process, and wait until it was heard."""
    os.kill(os.getpid(), signal.SIGTERM)
    deadline = time.monotonic() + 60
    while not is_heard():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_sigterm_in_a_pod_is_an_eviction_unless_the_run_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the platform's failure, with a cause of its own; what stores the results ends at the next one only."""
    monkeypatch.setenv(FLOW_POD, "1")
    control = Control(3600)
    with flow_run_signals(control, KnowsItsState(control, is_cancelled=False)):
        storing = GracePeriod(control)
        terminate(lambda: control.failure)
        with pytest.raises(PlatformError, match="nobody cancelled") as evicted:
            control.check()
        storing.check()
        terminate(lambda: control.is_cancelled)
        with pytest.raises(Cancelled):
            storing.check()

    assert control.grace_left <= EVICTION_GRACE_SECONDS
    assert (evicted.value.code, int(evicted.value.exit_code)) == ("driver_evicted", 3)
    assert control.failure is evicted.value


def test_a_pod_that_had_to_go_before_its_flow_began_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel drops a signal that comes before the first process of a pod can hear it; the cluster is asked."""
    monkeypatch.setenv(FLOW_POD, "1")
    monkeypatch.setattr(termination, "why_it_goes", lambda **_: "it was deleted")
    control = Control(3600)
    with (
        flow_run_signals(control, KnowsItsState(control, is_cancelled=False)),
        pytest.raises(PlatformError, match="it was deleted") as evicted,
    ):
        control.wait(60)

    assert evicted.value.code == "driver_evicted"


@pytest.mark.parametrize(("in_pod", "is_cancelled"), [(True, True), (False, False)])
def test_sigterm_is_a_cancel_on_a_machine_and_of_a_cancelled_run(
    monkeypatch: pytest.MonkeyPatch, *, in_pod: bool, is_cancelled: bool
) -> None:
    """The one that Prefect's worker sends, and that of a person, who may not have asked the server."""
    if in_pod:
        monkeypatch.setenv(FLOW_POD, "1")
    control = Control(3600)
    with flow_run_signals(control, KnowsItsState(control, is_cancelled=is_cancelled)):
        terminate(lambda: control.is_cancelled)

    assert control.grace_left <= CANCEL_GRACE_SECONDS
    with pytest.raises(Cancelled, match="SIGTERM"):
        control.check()


@pytest.mark.parametrize("in_pod", [True, False])
def test_ctrl_c_is_a_cancel_and_stays_one(monkeypatch: pytest.MonkeyPatch, *, in_pod: bool) -> None:
    """Also in a pod, where a SIGTERM comes after it."""
    if in_pod:
        monkeypatch.setenv(FLOW_POD, "1")
    control = Control(3600)
    with flow_run_signals(control, KnowsItsState(control, is_cancelled=False)):
        os.kill(os.getpid(), signal.SIGINT)
        terminate(lambda: control.is_urgent)

    with pytest.raises(Cancelled, match="SIGINT"):
        control.check()


@contextmanager
def nobody_answers() -> Iterator[str]:
    """Yield an address where no server is."""
    yield f"http://127.0.0.1:{free_port()}/api"


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (lambda: server_says("CANCELLING"), True),
        (lambda: server_says("CANCELLED"), True),
        (lambda: server_says("RUNNING"), False),
        (nobody_answers, False),
    ],
)
def test_a_run_is_cancelled_if_the_server_says_so(
    server: Callable[[], AbstractContextManager[str]], *, expected: bool
) -> None:
    """What the server does not say, nobody asked for."""
    with server() as address, temporary_settings({PREFECT_API_URL: address}):
        state = FlowRunState(UUID(int=1), Control(3600), logging.getLogger())
        assert state.is_cancelled() is expected
