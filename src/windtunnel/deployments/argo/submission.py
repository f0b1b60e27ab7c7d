"""One benchmark as a workflow of its own: what is submitted, or fires by its schedule."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from windtunnel.addresses import parse_store
from windtunnel.backends import make_backend
from windtunnel.backends.attended import warden_seconds
from windtunnel.benchmark import Loaded
from windtunnel.deployments.argo.given import check, ported
from windtunnel.deployments.argo.planning import planned
from windtunnel.deployments.argo.templates import template
from windtunnel.errors import UsageError
from windtunnel.plan import Plan

API_VERSION = "argoproj.io/v1alpha1"
AROUND_SECONDS = 900
"""How long pulls, starts and the ends of pods may take in all, beyond the benchmark's own timeout."""
LATE_SECONDS = 600
"""How late a scheduled run may begin, if no controller was there on time."""
_MOST_BYTES = 70_000
"""Encoded twice it is a pod's environment variable, of which Linux takes 128 KiB."""
_FAILURES = 10
"""After so many failed runs a schedule stops, until somebody resumes it."""


def workflow(
    loaded: Loaded, plan: Plan, overrides: Sequence[str] = (), *, options: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the Workflow of a benchmark, or its CronWorkflow if it has a schedule.

    Args:
        loaded: The benchmark.
        plan: Its plan.
        overrides: What was changed in it, ``KEY=VALUE`` each.
        options: Other parameters of the template.

    Raises:
        Unsupported, PlanError, UsageError: Argo cannot run it.
    """
    check(plan)
    if len(loaded.text.encode()) > _MOST_BYTES:
        raise UsageError(
            f"{loaded.path}: {len(loaded.text.encode())} bytes are too much for a workflow's parameter; put it into a"
            " ConfigMap and give benchmark=configmap/NAME to the strategy's template"
        )
    if broken := next((text for text in overrides if "\n" in text), None):
        raise UsageError(f"--set {broken.splitlines()[0]}…: a workflow's parameter cannot have a line break in a value")
    make_backend("kubernetes").check(plan)
    options = dict(options or {})
    check_store(options.get("store") or loaded.benchmark.output.store, is_fetched=options.get("fetch") == "true")
    given = {
        "benchmark": base64.b64encode(loaded.text.encode()).decode("ascii"),
        "set": "\n".join(overrides),
        **options,
    }
    run = loaded.benchmark.run
    # What fires by its schedule may find another version of the image than there was when it was submitted.
    client = planned(ported(plan), options.get("image", "windtunnel"))
    made = template(plan.strategy, None if run.schedule else client).to_dict()
    spec = made["spec"]
    for parameter in spec["arguments"]["parameters"]:
        parameter["value"] = given.get(parameter["name"], parameter.get("value", ""))
        parameter.pop("description", None)
    spec["activeDeadlineSeconds"] = math.ceil(warden_seconds(plan, plan.timeout)) + AROUND_SECONDS
    metadata = {"labels": {"app.kubernetes.io/part-of": "windtunnel"}}
    if not run.schedule:
        return {
            "apiVersion": API_VERSION,
            "kind": "Workflow",
            "metadata": {"generateName": f"{plan.benchmark[:40]}-", **metadata},
            "spec": spec,
        }
    return {
        "apiVersion": API_VERSION,
        "kind": "CronWorkflow",
        "metadata": {"name": plan.benchmark[:52], **metadata},
        "spec": {
            "schedules": [run.schedule],
            "timezone": run.timezone or "UTC",
            # Replace would skip the exit handler of the run that it ends.
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": LATE_SECONDS,
            "stopStrategy": {"expression": f"cronworkflow.failed >= {_FAILURES}"},
            "successfulJobsHistoryLimit": 5,
            "failedJobsHistoryLimit": 5,
            "workflowSpec": spec,
        },
    }


def check_store(store: str, *, is_fetched: bool) -> None:
    """Refuse a store that would be gone with its pod (UsageError)."""
    try:
        place = parse_store(store)
    except ValueError as error:
        raise UsageError(f"store: {error}") from None
    if isinstance(place, Path) and not is_fetched:
        raise UsageError(
            f"store {store}: a folder cannot keep a run that nobody waits for; give s3://bucket/prefix or"
            " pvc://claim/path (--set output.store=…), or use --wait, which fetches the run"
        )
