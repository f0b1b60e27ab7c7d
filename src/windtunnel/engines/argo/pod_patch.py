"""What the client's pods will be, for Argo to make them: found by the pod `plan`, or by whoever submits."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from hashlib import sha256

from windtunnel.backends import make_backend
from windtunnel.backends.attended import warden_seconds
from windtunnel.backends.kubernetes.gated import patch
from windtunnel.backends.kubernetes.objects import Naming
from windtunnel.backends.labels import RunLabels
from windtunnel.engines.argo.labels import MARK, OUTPUTS, RUN_MARK
from windtunnel.engines.argo.parameters import Given, ported
from windtunnel.errors import PlanError
from windtunnel.plan import Plan

SLACK_SECONDS = 120
"""How much longer than its run a client's pod may be there, for whatever its driver died of."""


def plan() -> int:
    """Leave the client's pod and its iterations as output parameters; return an exit code."""
    given = Given.find()
    make_backend("kubernetes").check(given.plan)
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    for name, value in (planned(given.plan, given.image) | {"run": given.run_id}).items():
        (OUTPUTS / name).write_text(value, encoding="utf-8")
    return 0


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
    naming = Naming.of(RunLabels(RUN_MARK, plan, seconds))
    for mark in (str(MARK), RUN_MARK, naming.salt):
        if any(mark in text for step in plan.steps for text in step.texts()):
            raise PlanError(f"{mark} cannot be in a benchmark that Argo runs")
    # Argo takes two braces for a name of its own, also in what it has put in already.
    text = json.dumps(patch(naming, ported(plan), job, MARK, image)).replace("{{", "{\\u007b")
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
