"""Pods of jobs that Argo makes: each is held at a scheduling gate until the driver lets it go.

Argo makes an iteration's pod from a patch that was planned beforehand, whenever it is ready to.
The pod waits unscheduled (a Kubernetes scheduling gate); when the walk has come to the iteration,
the driver hands over what only it knows (tokens, the servers' zone) and takes the gate away: from
then on it is a pod like any other, but for Argo's program, which runs the step's command, and
Argo's own container, which tells of the end.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from windtunnel.backends.containers import signalled
from windtunnel.backends.kubernetes.api import Cluster, map_errors
from windtunnel.backends.kubernetes.manifests import ApiCall
from windtunnel.backends.kubernetes.naming import ITERATION
from windtunnel.backends.kubernetes.pod_maker import MadePod, PodOrder
from windtunnel.backends.kubernetes.pods import PodView
from windtunnel.backends.kubernetes.run_resources import RunResources
from windtunnel.backends.labels import RUN, STEP
from windtunnel.engines.argo.labels import CLIENTS, MAIN, WORKFLOW
from windtunnel.engines.argo.nodes import clients_of
from windtunnel.engines.argo.pod_patch import GATE
from windtunnel.errors import PlatformError
from windtunnel.run.control import POLL_SECONDS

_NO_COMMAND = 64
_NO_COMMAND_WORDS = "failed to find name in PATH"
"""How Argo's program ends where there is no such command, and what it says then."""
_LAST_WORD = re.compile(
    rb'(\d{4}-\d\d-\d\dT\S+ )?time="[^"\n]*" level=\w+ msg="sub-process exited" argo=true[^\n]*\n'
    rb"(Error: exit status \d+\n)?\Z"
)
"""What Argo's program says at its end; with its time if it ends a line."""
_LOOK_SECONDS = 2.0


@dataclass(frozen=True)
class GatedPods:
    """Argo makes the pods of a run's jobs, shows them, and removes them with the workflow.

    Attributes:
        owner: The driver's pod, as an owner reference.
        workflow: The API's path of the workflow.
        pods: The API's path of the pods in its namespace.
        run_id: The run's id.
        cell: Which of a matrix's runs it is, if it is one.
    """

    owner: Mapping[str, Any] | None
    workflow: str
    pods: str
    run_id: str
    cell: int | None = None

    is_ahead = True
    least_grace = 5.0
    """Argo's own container has to tell the end of its pod."""
    removes_pods = True
    removal_seconds = 3.0
    """Argo takes away what has not started before it tells the driver that it is to stop."""

    @property
    def last_calls(self) -> Sequence[ApiCall]:
        """Stop a workflow that would wait for the run, in vain, and delete the pods that it made for the run."""
        selector = quote(f"{RUN}={self.run_id},{WORKFLOW}")
        return (
            ("PATCH", self.workflow, {"spec": {"shutdown": "Stop"}}),
            ("DELETE", f"{self.pods}?labelSelector={selector}", None),
        )

    def make(self, order: PodOrder) -> MadePod:
        """Wait for an iteration's pod, and let it be scheduled.

        Of its neighbours the patch says all there is to say; of its nodes the driver knows more.

        Raises:
            PlatformError: The API refuses, or Argo makes no pod any more (``no_pod``).
        """
        cluster, step = order.resources.cluster, order.unit.step.name
        name = self._await(order.resources, step, order.unit.iteration or 0)
        order.hand_over(name)
        node = order.manifest["spec"]["affinity"].get("nodeAffinity")
        spec = {"schedulingGates": None} | ({"affinity": {"nodeAffinity": node}} if node else {})
        metadata = {key: order.manifest["metadata"][key] for key in ("labels", "annotations")}
        # What tells this pod from others, and what the benchmark gives it, is no part of a patch of its containers.
        body = {"metadata": metadata, "spec": spec}
        with map_errors("letting its pod be scheduled", step):
            cluster.call("PATCH", cluster.path("Pod", name), body)
        return MadePod(name, MAIN)

    def strip(self, output: bytes) -> bytes:
        """Return the last of a container's output without what Argo's program says at its end."""
        return _LAST_WORD.sub(b"", output)

    def not_found(self, status: int | None, output: str) -> bool:
        """Tell whether Argo's program has found no such command."""
        return status == _NO_COMMAND and _NO_COMMAND_WORDS in output

    def is_silenced(self, status: int) -> bool:
        """Tell whether Argo's program was killed with the step's command: Argo's own container waits for its word."""
        return status == signalled(signal.SIGKILL)

    def _await(self, resources: RunResources, step: str, iteration: int) -> str:
        wanted = {STEP: step, ITERATION: str(iteration)}

        def found() -> PodView | None:
            views = resources.watcher.views().values()
            return next((view for view in views if is_held(view) and wanted.items() <= view.labels.items()), None)

        looked_at = time.monotonic()
        while (view := found()) is None:
            resources.watcher.notifier.wait(lambda: found() is not None, POLL_SECONDS)
            resources.check()
            if time.monotonic() > looked_at + _LOOK_SECONDS:
                looked_at = time.monotonic()
                self._check_workflow(resources.cluster, step)
        return view.name

    def _check_workflow(self, cluster: Cluster, step: str) -> None:
        """Raise if the workflow will make no pod any more."""
        with map_errors("looking at its workflow", step):
            workflow = cluster.call("GET", self.workflow)
        parts = clients_of(workflow, self.cell)
        if (status := workflow.get("status") or {}).get("phase") == "Error":
            parts.append(status)  # such as one that has become too large: Argo gives it up as it is
        for node in parts:
            # Succeeded without this one: somebody took an iteration out of the workflow.
            if node.get("phase") in {"Failed", "Error", "Succeeded"}:
                words = node.get("message") or f"{CLIENTS} is {node['phase']}"
                raise PlatformError(f"{step}: Argo makes no pod for it: {words}", code="no_pod", step=step)


def is_held(view: PodView) -> bool:
    """Tell whether a pod waits for its driver."""
    gates = view.data.get("spec", {}).get("schedulingGates") or ()
    return not view.is_ending and any(gate.get("name") == GATE for gate in gates)
