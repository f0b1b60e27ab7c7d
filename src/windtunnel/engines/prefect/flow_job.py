"""A benchmark's flow in a Job of its own on Kubernetes: what its work pool has to be like, and what it cannot have."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from pydantic import ValidationError

from windtunnel.addresses import CLAIM, S3, ClaimAddress, ObjectAddress
from windtunnel.backends.base import Backend, longest_seconds
from windtunnel.backends.inputs import is_local
from windtunnel.backends.kubernetes.settings import POD
from windtunnel.engines.prefect.flow_run_state import AWAY_SECONDS
from windtunnel.engines.prefect.job_template import COMMAND, DEADLINE, GRACE_SECONDS, SIGTERM_BEHAVIOR, WORK_FOLDER
from windtunnel.errors import Unsupported, UsageError

if TYPE_CHECKING:
    from prefect.client.schemas.objects import WorkPool

    from windtunnel.engines.request import Request
    from windtunnel.plan import Plan

BACKEND = "kubernetes"
"""The backend of a benchmark whose flow is in a pod, unless another one is asked for."""
PULL_STEP = {"prefect.deployments.steps.set_working_directory": {"directory": WORK_FOLDER}}
"""Without one, Prefect copies the folder that a flow starts in."""
_AROUND_SECONDS = GRACE_SECONDS + 600 + math.ceil(AWAY_SECONDS)
"""How long a pull, the starts and the end of a flow's pod may take in all, beyond what its benchmark may take.

That its server may be away at its end is in it.
"""
_STRANGERS = "prefecthq/prefect"
"""Images that a pool of Prefect's own has, and that have no Windtunnel."""
_ADVICE = "`windtunnel install prefect --pool-type kubernetes` makes a pool with the right one"


def job_variables(plan: Plan, image: str | None, namespace: str | None) -> dict[str, Any]:
    """Return what a plan's deployment has otherwise than its pool; None leaves the pool's image, or namespace."""
    given = {"image": image, "namespace": namespace}
    deadline = math.ceil(longest_seconds(plan)) + _AROUND_SECONDS
    return {"deadline": deadline} | {name: value for name, value in given.items() if value}


def check_pool_jobs(pool: WorkPool, variables: Mapping[str, Any]) -> None:
    """Refuse a pool whose Jobs would run a benchmark twice, or could not run it (Unsupported).

    Args:
        pool: A work pool of Prefect's type ``kubernetes``.
        variables: The deployment's job variables.
    """
    try:
        made = asyncio.run(_render(pool.base_job_template, variables))
    except ValidationError as error:
        words = error.errors()[0]["msg"]
        raise Unsupported(f"work pool {pool.name!r}: its base job template makes no Job: {words}; {_ADVICE}") from None
    spec = made["spec"]
    (container, *_others) = spec["template"]["spec"]["containers"]
    found = {item["name"]: item.get("value") for item in container["env"]}
    wanted = {
        f"command is not {' '.join(COMMAND)}": container.get("command") == list(COMMAND),
        f"{SIGTERM_BEHAVIOR} is not crash, so a flow whose pod is evicted is run again": (
            found.get(SIGTERM_BEHAVIOR) == "crash"
        ),
        "backoffLimit is not 0": spec.get("backoffLimit") == 0,
        f"workingDir is not {WORK_FOLDER}": container.get("workingDir") == WORK_FOLDER,
    }
    if reasons := [words for words, holds in wanted.items() if not holds]:
        raise Unsupported(
            f"work pool {pool.name!r}: its base job template is not Windtunnel's: {'; '.join(reasons)}; {_ADVICE}"
        )
    if _STRANGERS in (image := str(container["image"])):
        raise Unsupported(f"work pool {pool.name!r}: the image {image} has no Windtunnel; give --image")


async def _render(template: dict[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Job that Prefect's worker would make."""
    from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

    run = FlowRun(id=uuid4(), name="flow", flow_id=uuid4())
    async with get_client() as client:
        values = dict(variables)
        made = await KubernetesWorkerJobConfiguration.from_template_and_values(template, values, client=client)
    made.prepare_for_flow_run(run)
    return dict(made.job_manifest)


def check_in_pod(plan: Plan, backend: Backend, place: Path | ObjectAddress | ClaimAddress) -> None:
    """Refuse what the flow's pod does not have, or what would be lost with it.

    Args:
        plan: The benchmark's plan.
        backend: Where its steps are to run.
        place: The store.

    Raises:
        UsageError: The store is a folder.
        Unsupported: An input is a file, or there is no such platform in a pod.
    """
    _check_kept(place)
    for item in plan.inputs:
        if is_local(item):
            raise Unsupported(f"input {item.src}: a file of this machine is not in the flow's pod; give http(s) or s3")
    if backend.name == "docker":
        raise Unsupported(f"backend docker: a flow's pod has no Docker daemon; leave it at {BACKEND}")


def refuse_losses(request: Request) -> None:
    """Refuse a run of the flow that this pod is of, if it could not be kept or not be ended in order; none elsewhere.

    Raises:
        UsageError: Its store is a folder, or its Job ends before it may.
    """
    if POD not in os.environ:
        return
    _check_kept(request.remote or request.store)
    longest, deadline = longest_seconds(request.plan), float(os.environ.get(DEADLINE) or math.inf)
    if longest > deadline:
        raise UsageError(
            f"the benchmark may take {longest:g} s, and Kubernetes ends its Job after {deadline:g} s: deploy it as it"
            " is to run, or give the run a longer deadline (a job variable)"
        )


def _check_kept(place: Path | ObjectAddress | ClaimAddress) -> None:
    if isinstance(place, Path):
        raise UsageError(
            f"store {place}: a folder of the flow's pod goes with it; give {S3}bucket/prefix or {CLAIM}claim/path"
            " (output.store)"
        )
