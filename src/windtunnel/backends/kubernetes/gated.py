"""Pods of jobs that a workflow engine makes: each is held at a scheduling gate until the driver lets it go.

The engine makes an iteration's pod from a patch that was planned beforehand, whenever it is
ready to. The pod waits unscheduled (a Kubernetes scheduling gate); when the walk has come to the
iteration, the driver hands over what only it knows (tokens, the servers' zone) and takes the
gate away: from then on it is a pod like any other.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from windtunnel.backends.base import Launch
from windtunnel.backends.kubernetes import objects
from windtunnel.backends.kubernetes.calls import cluster_words
from windtunnel.backends.kubernetes.objects import ITERATION, Arranged, Manifest, Naming
from windtunnel.backends.kubernetes.place import Place
from windtunnel.backends.kubernetes.placing import Placing, affinity
from windtunnel.backends.kubernetes.pods import COLLECTOR, FETCHER, PodView
from windtunnel.backends.kubernetes.secrecy import Secrecy
from windtunnel.backends.kubernetes.spec import COLLECT_SECONDS, Surroundings, fetcher_arguments, pod
from windtunnel.backends.kubernetes.steps import address_of, is_in_client, make_step
from windtunnel.backends.labels import PREFIX, STEP
from windtunnel.errors import PlatformError
from windtunnel.plan import Job, Plan
from windtunnel.run.control import POLL_SECONDS

GATE = f"{PREFIX}driver"
CLIENTS = "clients"
"""The part of a workflow that makes the pods of jobs."""
MAIN = "main"
"""How a workflow engine calls the container that a step of its consists of."""
WAIT = "wait"
"""Argo's own container."""
_ARGOS_USER = 8737
"""Whom Argo's images know as their user without rights."""
ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
_NO_ACCOUNT = "windtunnel-no-account"
_LOOK_SECONDS = 2.0


class Gate:
    """Lets the pods of a run's jobs go, one at a time.

    Args:
        place: Where they are.
        arranged: What is to be known of the engine.
        check: Called while one is waited for; raises what ends the run.
        create: Makes an object and counts it.
    """

    def __init__(
        self,
        place: Place,
        arranged: Arranged,
        check: Callable[[], None],
        create: Callable[[Mapping[str, Any], str, str | None], Any],
    ) -> None:
        self._place, self._check, self._create = place, check, create
        self._arranged = arranged

    def release(self, job: Job, iteration: int, inputs: Iterable[tuple[str, str, str]], placing: Placing) -> str:
        """Wait for an iteration's pod, let it be scheduled, and return its name.

        Args:
            job: The job.
            iteration: Which.
            inputs: Name, URL and token of each input.
            placing: Where it may run; of its neighbours the patch says all there is to say.

        Raises:
            PlatformError: The API refuses.
        """
        name = self._await(job.name, iteration)
        data = {
            COLLECTOR: json.dumps(self._place.collect(name)),
            FETCHER: json.dumps(fetcher_arguments(inputs)),
        }
        secret = arguments_name(self._place.naming, job.name, iteration)
        manifest = objects.secret(self._place.naming, secret, job.name, data)
        self._create(manifest, "what its collector has to know", job.name)
        node = affinity(self._place.naming, replace(placing, away_from=())).get("nodeAffinity")
        body = {"spec": {"schedulingGates": None} | ({"affinity": {"nodeAffinity": node}} if node else {})}
        with cluster_words("letting its pod be scheduled", job.name):
            self._place.cluster.call("PATCH", self._place.cluster.path("Pod", name), body)
        return name

    def _await(self, step: str, iteration: int) -> str:
        wanted = {STEP: step, ITERATION: str(iteration)}

        def found() -> PodView | None:
            views = self._place.watcher.views().values()
            return next((view for view in views if is_held(view) and wanted.items() <= view.labels.items()), None)

        looked_at = time.monotonic()
        while (view := found()) is None:
            self._place.watcher.wait_change(lambda: found() is not None, POLL_SECONDS)
            self._check()
            if time.monotonic() > looked_at + _LOOK_SECONDS:
                looked_at = time.monotonic()
                self._check_workflow(step)
        return view.name

    def _check_workflow(self, step: str) -> None:
        """Raise if the workflow will make no pod any more."""
        with cluster_words("looking at its workflow", step):
            workflow = self._place.cluster.call("GET", self._arranged.workflow)
        for node in ((workflow.get("status") or {}).get("nodes") or {}).values():
            # Succeeded without this one: somebody took an iteration out of the workflow.
            if node.get("displayName") == CLIENTS and node.get("phase") in {"Failed", "Error", "Succeeded"}:
                words = node.get("message") or f"{CLIENTS} is {node['phase']}"
                raise PlatformError(f"{step}: Argo makes no pod for it: {words}", code="no_pod", step=step)


def is_held(view: PodView) -> bool:
    """Tell whether a pod waits for its driver."""
    gates = view.data.get("spec", {}).get("schedulingGates") or ()
    return not view.is_ending and any(gate.get("name") == GATE for gate in gates)


def arguments_name(naming: Naming, job: str, iteration: int) -> str:
    """Return what the Secret is called with what only the driver knows."""
    return naming.name(f"{job}-arguments", iteration)


def patch(naming: Naming, plan: Plan, job: Job, iteration: int, runner: str) -> Manifest:
    """Return what makes of a workflow engine's pod that of an iteration.

    Args:
        naming: The run's names.
        plan: The run's plan, in which every port is chosen.
        job: The job.
        iteration: Which.
        runner: The image of collectors.
    """
    services, secrecy = plan.services_for(job), Secrecy.of(plan)
    own = iteration if job.fresh else None
    values = {"ITERATION": str(iteration)}
    beside = []
    for service in services:
        if is_in_client(service):
            beside.append(make_step(naming, secrecy, Launch(service, own, dict(values))))
        values |= address_of(naming, service, own).values(service.name)
    made = make_step(naming, secrecy, Launch(job, iteration, values))
    inputs = {item.path: (str(number), "", "") for number, item in enumerate(plan.inputs)}
    graces = [each.container.sidecar.grace for each in beside if each.container.sidecar]
    secret = arguments_name(naming, job.name, iteration)
    around = Surroundings(runner, (), COLLECT_SECONDS + sum(graces), inputs, secret=secret)
    placing = Placing([each.name for each in services if each.placement == "apart"])
    spec = pod(naming, job.name, [made.container, *(each.container for each in beside)], placing, around)["spec"]
    return _as_patch(spec)


def _as_patch(spec: Manifest) -> Manifest:
    """Return what a strategic merge turns an engine's pod into one of ours with.

    The engine's own container needs the account's token, so it cannot be kept from the whole pod:
    where it would be, the others have an empty folder.
    """
    own = {"restartPolicy", "automountServiceAccountToken"}
    found: Manifest = {key: value for key, value in spec.items() if key not in own}
    found["schedulingGates"] = [{"name": GATE}]
    found["containers"][0]["name"] = MAIN
    for container in (*found["initContainers"], *found["containers"]):
        container["volumeMounts"].append({"name": _NO_ACCOUNT, "mountPath": ACCOUNT_FOLDER})
    found["volumes"].append({"name": _NO_ACCOUNT, "emptyDir": {}})
    # Among processes that are shared, only another user's are closed to root: the token is in that one's files.
    found["containers"].append({"name": WAIT, "securityContext": {"runAsUser": _ARGOS_USER, "runAsNonRoot": True}})
    return found
