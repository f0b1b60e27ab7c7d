"""SIGTERM in a flow run: a cancel; in a pod it may as well be an eviction, that nobody asked for."""

from __future__ import annotations

import os
import queue
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from windtunnel.engines.interrupts import signals_cancel
from windtunnel.engines.prefect.flow_pod import FLOW_POD
from windtunnel.engines.prefect.flow_run_state import ANSWER_SECONDS, FlowRunState
from windtunnel.engines.prefect.own_pod import why_it_goes
from windtunnel.errors import PlatformError
from windtunnel.run.control import Control
from windtunnel.run.threads import ThreadGroup

CANCEL_GRACE_SECONDS = 10.0
"""How long graces may last after a SIGTERM of Prefect, which kills a flow that is cancelled after 30 s."""
EVICTION_GRACE_SECONDS = 25.0
"""The same after one of Kubernetes, which gives the pod a minute: what was measured is still to be stored and told."""
_EVICTED = "the flow run's pod was told to end ({}), and nobody cancelled the run"
_UNKNOWN = "evicted, its node drained, or deleted"


@contextmanager
def flow_run_signals(control: Control, state: FlowRunState) -> Iterator[None]:
    """Let signals end the run: as a cancel, or in a pod, as ``driver_evicted`` unless the flow run is cancelled.

    On a machine the SIGTERM of Prefect's worker is how it cancels, and of a person who kills the process it is
    a cancel as well. A pod gets one whenever it has to go, so the server is asked what became of the flow run.
    Its sender kills soon: no step's grace outlasts that.
    """

    def cancel() -> None:
        control.end_graces(CANCEL_GRACE_SECONDS)
        control.cancel("cancelled by SIGTERM")

    if FLOW_POD not in os.environ:
        with signals_cancel(control, on_sigterm=cancel):
            yield
        return
    # Its `put` is what a handler may call at any moment.
    received: queue.SimpleQueue[signal.Signals | None] = queue.SimpleQueue()

    def end_in_order(why: str) -> None:
        control.end_graces(EVICTION_GRACE_SECONDS)
        # No cancel: what reads, stores and tells the results goes on, for the pod has a grace.
        control.fail(PlatformError(_EVICTED.format(why), code="driver_evicted"))

    def heed() -> None:
        # A signal that came before the pod's first process could hear it was dropped by the kernel.
        if why := _why(at_start=True):
            end_in_order(why)
        while received.get():
            if control.failure or control.is_cancelled or state.is_cancelled():
                cancel()
            else:
                end_in_order(_why() or _UNKNOWN)

    threads = ThreadGroup(control.fail)
    threads.start("sigterm", heed)
    try:
        with signals_cancel(control, on_sigterm=lambda: received.put(signal.SIGTERM)):
            yield
    finally:
        received.put(None)
        threads.join(ANSWER_SECONDS)


def _why(*, at_start: bool = False) -> str | None:
    """Return why the pod has to go, if the cluster says so soon."""
    try:
        return why_it_goes(at_start=at_start)
    except Exception:  # noqa: BLE001 - that it has to go is known already
        return None
