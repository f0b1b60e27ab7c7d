"""What the client's pods will be, for Argo to make them: found by the pod `plan`, or when a workflow is built."""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Mapping
from hashlib import sha256

from windtunnel.backends.base import Launch, longest_seconds
from windtunnel.backends.containers import PYTHON
from windtunnel.backends.equipment import Equipment
from windtunnel.backends.kubernetes.affinity import Placing, among_members
from windtunnel.backends.kubernetes.container_spec import container_spec, is_in_client, site_of
from windtunnel.backends.kubernetes.manifests import Manifest
from windtunnel.backends.kubernetes.naming import Naming
from windtunnel.backends.kubernetes.pod_spec import Companions, grace_of, pod
from windtunnel.backends.kubernetes.run_manifests import host_name, starts_together
from windtunnel.backends.kubernetes.secret_objects import Secrecy
from windtunnel.backends.labels import PREFIX, RunLabels
from windtunnel.backends.unit import Environment, Unit, render
from windtunnel.engines.argo.labels import MAIN, WAIT
from windtunnel.engines.argo.parameters import ported
from windtunnel.errors import PlanError
from windtunnel.plan import Gang, Job, Plan, Service

SLACK_SECONDS = 120
"""How much longer than its run a client's pod may be there, for whatever its driver died of."""
ITERATION_PLACEHOLDER = 7_918_264_503_176
"""Stands for the iteration in a client's pod that is planned once for all."""
RUN_PLACEHOLDER = "windtunnel-planned-run"
"""Stands for the run's id, if that is not known when the pod is planned."""
GATE = f"{PREFIX}driver"
"""The scheduling gate at which a client's pod waits for its driver."""
ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
_NO_ACCOUNT = "windtunnel-no-account"
_LATER = ("", "")
"""Where the hub has a Python environment, and the token for it: its driver tells the collector."""
_MOST_BYTES = 600_000
"""What Argo may keep of all clients' pods, compressed; a workflow may have 1 MiB, and a long record is in it too."""
_NODE_BYTES = 120
"""What it keeps of one, compressed, beside its description: about 80 were measured."""
_BESIDE_BYTES = 2000
"""What stands between two descriptions, uncompressed."""
_ARGOS_USER = 8737
"""Whom Argo's images know as their user without rights."""


def planned(plan: Plan, image: str) -> dict[str, str]:
    """Return what Argo makes the client's pods of: parameters of the template `client`, and its iterations.

    It is the same for every run of a plan: what stands for the run and for the iteration is replaced by Argo.

    Args:
        plan: The plan.
        image: Windtunnel's own image.

    Raises:
        PlanError: The benchmark has a text in it that stands for something.
    """
    (job,) = plan.jobs
    seconds = longest_seconds(plan)
    naming = Naming.of(RunLabels(RUN_PLACEHOLDER, plan, seconds))
    for mark in (str(ITERATION_PLACEHOLDER), RUN_PLACEHOLDER, naming.salt):
        if any(mark in text for step in plan.steps for text in step.texts()):
            raise PlanError(f"{mark} cannot be in a benchmark that Argo runs")
    # Argo takes two braces for a name of its own, also in what it has put in already.
    text = json.dumps(patch(naming, ported(plan), job, ITERATION_PLACEHOLDER, image)).replace("{{", "{\\u007b")
    encoded = base64.b64encode(text.encode()).decode("ascii")
    _check_size(encoded, job)
    return {
        "benchmark": plan.benchmark,
        "patch": encoded,
        "iterations": json.dumps([str(number) for number in range(1, job.warmup + job.repeats + 1)]),
        "step": job.name,
        "seconds": str(math.ceil(seconds) + SLACK_SECONDS),
    }


def _check_size(encoded: str, job: Job) -> None:
    """Refuse iterations that Argo could not keep (PlanError): it would give the workflow up in the middle of the run.

    It has a pod's description in each of them, and compresses all, with no memory of what was 32 KiB before.
    """
    one, two = (len(gzip.compress(text.encode())) for text in (encoded, f"{encoded}{' ' * _BESIDE_BYTES}{encoded}"))
    iterations, each = job.warmup + job.repeats, _NODE_BYTES + (two - one) * 4 // 3
    if iterations * each > _MOST_BYTES:
        raise PlanError(
            f"{job.name}: {iterations} iterations are too many for one workflow of Argo's, which may have"
            f" {_MOST_BYTES // each} where a client takes {len(encoded)} bytes; put long texts of a command"
            " or variable into its files, or use windtunnel run --backend kubernetes"
        )


def digest(planned: Mapping[str, str]) -> str:
    """Return what tells the client's pods of a benchmark from others."""
    return sha256(json.dumps(dict(planned), sort_keys=True).encode()).hexdigest()


def patch(naming: Naming, plan: Plan, job: Job, iteration: int, runner: str) -> Manifest:
    """Return what makes of Argo's pod that of an iteration.

    Args:
        naming: The run's names.
        plan: The run's plan, in which every port is chosen.
        job: The job.
        iteration: Which.
        runner: The image of collectors.
    """
    services, secrecy = plan.services_for(job), Secrecy.of(plan, is_ahead=True)
    own = iteration if job.fresh else None
    values, equipment = {"ITERATION": str(iteration)}, Equipment.stand_in(plan)
    units: list[Unit] = []
    for service in services:
        site = site_of(naming, service, own)
        if is_in_client(service):
            units.append(render(Launch(service, own, dict(values)), site, _environment(service)))
        values |= site.address.values(service.name)
        values |= equipment.values(service) if isinstance(service, Gang) else {}
    unit = render(Launch(job, iteration, values), site_of(naming, job, iteration), _environment(job))
    units.insert(0, equipment.equip(unit))
    inputs = {item.path: str(number) for number, item in enumerate(plan.inputs)}
    grace = grace_of(job, [unit.step for unit in units[1:]])
    companions = Companions(runner, grace, inputs, host=host_name(naming, unit), waits=starts_together(unit))
    placing = Placing([each.name for each in services if each.placement == "apart"], **among_members(job))
    containers = [
        container_spec(naming, secrecy, unit, _LATER if unit.program.requirements else None) for unit in units
    ]
    spec = pod(naming, naming.name(job.name, iteration), containers, placing, companions)["spec"]
    return _as_patch(spec)


def _environment(step: Service | Job) -> Environment | None:
    """Return the Python environment of a step that will have one, of whose image nobody has asked for its ``PATH``."""
    return Environment(PYTHON, "") if step.program.requirements else None


def _as_patch(spec: Manifest) -> Manifest:
    """Return what a strategic merge turns a pod of Argo's into one of ours with.

    Argo's own container needs the account's token, so it cannot be kept from the whole pod:
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
