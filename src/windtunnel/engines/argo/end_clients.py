"""Clients' pods that still wait for a run that is over: Argo is told that they failed, and why."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from windtunnel.backends.kubernetes.api import Cluster, Refused, map_errors
from windtunnel.backends.kubernetes.naming import ITERATION
from windtunnel.backends.kubernetes.pods import PodView
from windtunnel.backends.labels import RUN
from windtunnel.engines.argo.cells import is_of_cell
from windtunnel.engines.argo.labels import COMPONENT, INIT, PLAN, WORKFLOW
from windtunnel.engines.argo.nodes import clients_of
from windtunnel.engines.argo.pod_gate import is_held
from windtunnel.engines.argo.workflow import read, stop
from windtunnel.run.events import timestamp

MAKING_SECONDS = 60.0
"""How long Argo may take to make a client's pod; after that the workflow is stopped."""
_LOOK_SECONDS = 0.5
_OVER = {"Succeeded", "Failed", "Error"}


@dataclass(frozen=True)
class ClientPods:
    """The pods that a workflow makes for one run.

    Attributes:
        workflow: The workflow.
        cell: Which of a matrix's runs it is, if it is one.
        iterations: How many there are to be in all, if that is known.
        released: The last iteration whose pod ran.
    """

    workflow: str
    cell: int | None = None
    iterations: int | None = None
    released: int = 0

    def find(self, cluster: Cluster) -> list[PodView]:
        """Return those that are there, and the pod that plans them, if there is one (PlatformError)."""
        with map_errors(f"the pods of workflow {self.workflow}"):
            pods = [PodView(each) for each in cluster.find("Pod", f"{WORKFLOW}={self.workflow}")]
        if self.cell is None:
            return pods
        return [view for view in pods if ITERATION in view.labels and is_of_cell(view.labels[RUN], self.cell)]


def end_clients(cluster: Cluster, clients: ClientPods, words: str) -> None:
    """Return once no client's pod waits for its driver, or will.

    Argo makes a pod anew that is deleted before it ran, and of a workflow that is stopped it shows
    that alone. A pod that says that it failed is a failed step, which shows what the pod says.

    Args:
        cluster: The workflow's cluster.
        clients: The pods.
        words: Why the run is over.

    Raises:
        PlatformError: The API refuses.
    """
    deadline = time.monotonic() + MAKING_SECONDS
    while time.monotonic() < deadline:
        pods = clients.find(cluster)
        try:
            if _fail(cluster, list(filter(is_held, pods)), words):
                return
        except Refused:
            # The account is that of an older `install argo`, which may not do it.
            break
        is_over = _are_over(pods, clients.iterations, clients.released)
        if is_over or _is_told(read(cluster, clients.workflow), clients.cell):
            return
        time.sleep(_LOOK_SECONDS)
    stop(cluster, clients.workflow)


def _fail(cluster: Cluster, held: Sequence[PodView], words: str) -> bool:
    """Fail pods that wait for a driver; tell whether there are any (Refused).

    When a pod ended Argo finds out from its containers alone: without one it would show that it goes on for ever.
    """
    ended = {"exitCode": 0, "reason": "RunOver", "finishedAt": timestamp(time.time())}
    never_ran = {"name": INIT, "image": "", "imageID": "", "ready": False, "restartCount": 0}
    status = {
        "phase": "Failed",
        "reason": "RunOver",
        "message": words,
        "initContainerStatuses": [never_ran | {"state": {"terminated": ended}}],
    }
    for view in held:
        cluster.call("PATCH", f"{cluster.path('Pod', view.name)}/status", {"status": status})
    return bool(held)


def _are_over(pods: Sequence[PodView], iterations: int | None, released: int) -> bool:
    """Tell whether Argo makes no client's pod any more.

    One failed, or the pod that plans them, or all are through, or the last was taken away, as a driver does where its
    command was killed together with Argo's program.
    """
    clients = {view.labels[ITERATION]: view.status.get("phase") for view in pods if ITERATION in view.labels}
    planned = [view.status.get("phase") for view in pods if view.labels.get(COMPONENT) == PLAN]
    phases = [*clients.values()]
    is_taken_away = bool(released) and str(released) not in clients
    return "Failed" in (*phases, *planned) or phases.count("Succeeded") == iterations or is_taken_away


def _is_told(workflow: dict[str, Any], cell: int | None) -> bool:
    """Tell whether Argo says so: of a workflow that is stopped or over, or of its clients."""
    phases = [node.get("phase") for node in (workflow.get("status") or {}, *clients_of(workflow, cell))]
    return bool(workflow["spec"].get("shutdown") or _OVER & set(phases))
