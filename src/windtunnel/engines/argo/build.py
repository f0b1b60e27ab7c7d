"""Builds the workflow of one benchmark: what is submitted, or fires by its schedule."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

from windtunnel.addresses import parse_store
from windtunnel.backends.base import longest_seconds
from windtunnel.benchmark import Loaded
from windtunnel.engines.argo.parameter_values import FILE, SECRET, SET, has_secrets
from windtunnel.engines.argo.parameters import check_plan, ported
from windtunnel.engines.argo.pod_patch import planned
from windtunnel.engines.argo.templates import template
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


@dataclass(frozen=True)
class Submission:
    """What is made of a benchmark.

    Attributes:
        made: Its Workflow, or its CronWorkflow.
        secret: What the Secret holds that belongs to that, by keys, if the benchmark has secrets.
    """

    made: dict[str, Any]
    secret: Mapping[str, str] = field(default_factory=dict)

    @property
    def secret_name(self) -> str:
        """What that Secret is called."""
        return secret_name(self.made["metadata"]["name"])


def secret_name(owner: str) -> str:
    """Return what the Secret is called that belongs to a workflow, or to a schedule."""
    return f"{owner}-benchmark"


def build_workflow(
    loaded: Loaded, plan: Plan, overrides: Sequence[str] = (), *, options: Mapping[str, str] | None = None
) -> Submission:
    """Return the Workflow of a benchmark, or its CronWorkflow if it has a schedule.

    A benchmark that has secrets is no parameter: it goes through a Secret, and its workflow has a name from the start.

    Args:
        loaded: The benchmark.
        plan: Its plan.
        overrides: What was changed in it, ``KEY=VALUE`` each.
        options: Other parameters of the template.

    Raises:
        Unsupported, PlanError, UsageError: Argo cannot run it.
    """
    check_plan(plan)
    if broken := next((text for text in overrides if "\n" in text), None):
        key = broken.partition("=")[0]
        raise UsageError(f"--set {key}=…: a workflow's parameter cannot have a line break in a value")
    options = dict(options or {})
    check_store(options.get("store") or loaded.benchmark.output.store, is_fetched=options.get("fetch") == "true")
    run, text, lines = loaded.benchmark.run, loaded.text, "\n".join(overrides)
    is_hidden = bool(loaded.redaction.secrets) or has_secrets(text, loaded.redaction)
    metadata = _metadata(plan.benchmark, is_scheduled=bool(run.schedule), is_hidden=is_hidden)
    if is_hidden:
        named = f"{SECRET}{secret_name(metadata['name'])}"
        given = {"benchmark": named, "set": named, **options}
    else:
        check_size(loaded)
        given = {"benchmark": base64.b64encode(text.encode()).decode("ascii"), "set": lines, **options}
    # What fires by its schedule may find another version of the image than there was when it was submitted.
    client = planned(ported(plan), options.get("image", "windtunnel"))
    spec = template(plan.strategy, None if run.schedule else client).to_dict()["spec"]
    for parameter in spec["arguments"]["parameters"]:
        parameter["value"] = given.get(parameter["name"], parameter.get("value", ""))
        parameter.pop("description", None)
    spec["activeDeadlineSeconds"] = math.ceil(longest_seconds(plan)) + AROUND_SECONDS
    made = {"apiVersion": API_VERSION, "kind": "Workflow", "metadata": metadata, "spec": spec}
    if run.schedule:
        made |= {"kind": "CronWorkflow", "spec": _scheduled(run.schedule, run.timezone, spec)}
    return Submission(made, {FILE: text, SET: lines} if is_hidden else {})


def _metadata(benchmark: str, *, is_scheduled: bool, is_hidden: bool) -> dict[str, Any]:
    labels = {"app.kubernetes.io/part-of": "windtunnel"}
    if is_scheduled:
        return {"name": benchmark[:52], "labels": labels}
    name = f"{benchmark[:40]}-"
    return (
        {"name": f"{name}{token_hex(3)}", "labels": labels} if is_hidden else {"generateName": name, "labels": labels}
    )


def _scheduled(schedule: str, timezone: str | None, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "schedules": [schedule],
        "timezone": timezone or "UTC",
        # Replace would skip the exit handler of the run that it ends.
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": LATE_SECONDS,
        "stopStrategy": {"expression": f"cronworkflow.failed >= {_FAILURES}"},
        "successfulJobsHistoryLimit": 5,
        "failedJobsHistoryLimit": 5,
        "workflowSpec": dict(spec),
    }


def check_size(loaded: Loaded) -> None:
    """Refuse a text that is too long for a parameter (UsageError)."""
    if (size := len(loaded.text.encode())) > _MOST_BYTES:
        raise UsageError(
            f"{loaded.path}: {size} bytes are too much for a workflow's parameter; put it into a ConfigMap and give"
            " benchmark=configmap/NAME to the strategy's template"
        )


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
