"""What the client's pods will be, for Argo to make them: found by the pod `plan`, or when a workflow is built."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from hashlib import sha256

from windtunnel.backends.attended import warden_seconds
from windtunnel.backends.kubernetes.gated import patch
from windtunnel.backends.kubernetes.objects import Naming
from windtunnel.backends.labels import RunLabels
from windtunnel.engines.argo.parameters import ported
from windtunnel.errors import PlanError
from windtunnel.plan import Plan

SLACK_SECONDS = 120
"""How much longer than its run a client's pod may be there, for whatever its driver died of."""
ITERATION_PLACEHOLDER = 7_918_264_503_176
"""Stands for the iteration in a client's pod that is planned once for all."""
RUN_PLACEHOLDER = "windtunnel-planned-run"
"""Stands for the run's id, if that is not known when the pod is planned."""


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
    seconds = warden_seconds(plan, plan.timeout)
    naming = Naming.of(RunLabels(RUN_PLACEHOLDER, plan, seconds))
    for mark in (str(ITERATION_PLACEHOLDER), RUN_PLACEHOLDER, naming.salt):
        if any(mark in text for step in plan.steps for text in step.texts()):
            raise PlanError(f"{mark} cannot be in a benchmark that Argo runs")
    # Argo takes two braces for a name of its own, also in what it has put in already.
    text = json.dumps(patch(naming, ported(plan), job, ITERATION_PLACEHOLDER, image)).replace("{{", "{\\u007b")
    return {
        "benchmark": plan.benchmark,
        "patch": base64.b64encode(text.encode()).decode("ascii"),
        "iterations": json.dumps([str(number) for number in range(1, job.warmup + job.repeats + 1)]),
        "step": job.name,
        "seconds": str(math.ceil(seconds) + SLACK_SECONDS),
    }


def digest(planned: Mapping[str, str]) -> str:
    """Return what tells the client's pods of a benchmark from others."""
    return sha256(json.dumps(dict(planned), sort_keys=True).encode()).hexdigest()
