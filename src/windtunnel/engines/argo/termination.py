"""SIGTERM in a driver's pod: somebody stopped the workflow, or the pod has to go, which nobody asked for."""

from __future__ import annotations

import queue
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from windtunnel.backends.kubernetes.api import Cluster
from windtunnel.backends.kubernetes.driver_pod import why_it_goes
from windtunnel.engines.argo.workflow import path
from windtunnel.errors import PlatformError
from windtunnel.run.control import Control
from windtunnel.run.threads import ThreadGroup

STOPPED = "stopped: Argo asked for it (`argo stop`, `argo terminate`), or its workflow was deleted"
_EVICTED = "the driver's pod was told to end ({}), and nobody stopped its workflow"
_ANSWER_SECONDS = 5.0
"""How long the API has to say which it was."""


class Termination:
    """Notes each SIGTERM from its own beginning on: a run that begins later is ended by it too.

    Args:
        cluster: The workflow's cluster.
        workflow: The workflow's name.
    """

    def __init__(self, cluster: Cluster, workflow: str) -> None:
        self._cluster, self._workflow = cluster, workflow
        # Its `put` is what a handler may call at any moment. Argo signals a pod that it wants to end again and again.
        self._received: queue.SimpleQueue[signal.Signals | None] = queue.SimpleQueue()
        signal.signal(signal.SIGTERM, lambda _number, _frame: self._received.put(signal.SIGTERM))

    @contextmanager
    def ends(self, control: Control) -> Iterator[None]:
        """Let the first signal end a run: as a cancel, or as ``driver_evicted`` where the pod has to go by itself."""
        threads = ThreadGroup(control.fail)
        threads.start("sigterm", partial(self._heed, control))
        try:
            yield
        finally:
            self._received.put(None)
            threads.join(_ANSWER_SECONDS)

    def _heed(self, control: Control) -> None:
        if not self._received.get():
            return
        if words := self._why_it_goes():
            # No cancel: what reads, stores and tells the results goes on, for the pod has a grace.
            control.fail(PlatformError(_EVICTED.format(words), code="driver_evicted"))
        else:
            control.cancel(STOPPED)

    def _why_it_goes(self) -> str | None:
        """Return why the pod has to go; None if its workflow is to end, or if the cluster does not say soon."""
        try:
            place = path(self._cluster, "workflows", self._workflow)
            workflow = self._cluster.ask("GET", place, timeout=_ANSWER_SECONDS)
            if workflow["spec"].get("shutdown") or "deletionTimestamp" in workflow["metadata"]:
                return None
            return why_it_goes(self._cluster)
        except Exception:  # noqa: BLE001 - such as a workflow that is gone; that the run has to end is known already
            return None
