"""Builds the workflow of one benchmark: what is submitted, or fires by its schedule."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from windtunnel.addresses import parse_store
from windtunnel.backends.base import longest_seconds
from windtunnel.benchmark import Loaded, describe_values
from windtunnel.engines.argo.carrier import Carrier, file_has_secrets, local_inputs, make_carrier, read_local
from windtunnel.engines.argo.cells import Sweep, check_length, check_sweep
from windtunnel.engines.argo.parameter_values import FILE, SET, has_secrets
from windtunnel.engines.argo.parameters import check_plan, ported
from windtunnel.engines.argo.pod_patch import planned
from windtunnel.engines.argo.templates import sweep_template, template
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
        carrier: The object that belongs to that, if there is something that is no parameter.
        runs: How many runs it has.
    """

    made: dict[str, Any]
    carrier: Carrier | None = None
    runs: int = 1

    @property
    def documents(self) -> list[dict[str, Any]]:
        """All that is to be created, in that order, for somebody else to do it."""
        return [*([self.carrier.manifest(self.made["metadata"]["labels"])] if self.carrier else []), self.made]


def build_workflow(
    loaded: Loaded, plan: Plan, overrides: Sequence[str] = (), *, options: Mapping[str, str] | None = None
) -> Submission:
    """Do what `build_sweep` does for a benchmark without a matrix."""
    return build_sweep([(loaded, plan)], overrides, options=options)


def build_sweep(sweep: Sweep, overrides: Sequence[str] = (), *, options: Mapping[str, str] | None = None) -> Submission:
    """Return the Workflow of a benchmark, or its CronWorkflow if it has a schedule; that of a matrix has all its runs.

    A benchmark that has secrets is no parameter: it goes through a Secret, and its workflow has a name from the start.
    One that is too long goes through a ConfigMap, and so do the inputs that are files of this machine.

    Args:
        sweep: The benchmark and its plan; of a matrix those of each cell.
        overrides: What was changed in it, ``KEY=VALUE`` each.
        options: Other parameters of the template.

    Raises:
        Unsupported, PlanError, UsageError: Argo cannot run it.
        PlatformError: An input that is a file of this machine cannot be had.
    """
    check_sweep(sweep)
    for _loaded, plan in sweep:
        check_plan(plan)
    loaded, plan = sweep[0]
    if broken := next((text for text in overrides if "\n" in text), None):
        key = broken.partition("=")[0]
        raise UsageError(f"--set {key}=…: a workflow's parameter cannot have a line break in a value")
    options = dict(options or {})
    for each, _plan in sweep:
        check_store(options.get("store") or each.benchmark.output.store, is_fetched=options.get("fetch") == "true")
    run, text, lines = loaded.benchmark.run, loaded.text, "\n".join(overrides)
    carried = read_local(loaded, plan)
    is_hidden = bool(loaded.redaction.secrets) or has_secrets(text, loaded.redaction)
    is_hidden = is_hidden or any(file_has_secrets(each, loaded.redaction) for each in carried.values())
    given = {"benchmark": base64.b64encode(text.encode()).decode("ascii"), "set": lines}
    if is_hidden or len(text.encode()) > _MOST_BYTES:
        carried |= {FILE: text.encode(), SET: lines.encode()}
    metadata = _metadata(plan.benchmark, is_scheduled=bool(run.schedule), is_named=bool(carried))
    carrier = make_carrier(metadata["name"], carried, plan, is_secret=is_hidden) if carried else None
    if carrier:
        given |= dict.fromkeys(("benchmark", "set") if FILE in carried else (), carrier.value)
        given |= {"inputs": carrier.value} if local_inputs(plan) else {}
    given |= options
    spec = _spec(sweep, options.get("image", "windtunnel"))
    for parameter in spec["arguments"]["parameters"]:
        parameter["value"] = given.get(parameter["name"], parameter.get("value", ""))
        parameter.pop("description", None)
    spec["activeDeadlineSeconds"] = sum(math.ceil(longest_seconds(each)) + AROUND_SECONDS for _loaded, each in sweep)
    made = {"apiVersion": API_VERSION, "kind": "Workflow", "metadata": metadata, "spec": spec}
    if run.schedule:
        made |= {"kind": "CronWorkflow", "spec": _scheduled(run.schedule, run.timezone, spec)}
    return Submission(made, carrier, len(sweep))


def _spec(sweep: Sweep, image: str) -> dict[str, Any]:
    """Return what runs a benchmark, or all cells of a matrix, whatever its parameters are."""
    (loaded, plan), *_others = sweep
    clients = [planned(ported(each), image) for _loaded, each in sweep]
    if loaded.combination:
        check_length(clients)
        titles = [describe_values(each.redaction.values(each.combination)) for each, _plan in sweep]
        made = sweep_template(plan.strategy, clients, titles)
    else:
        # What fires by its schedule may find another version of the image than there was when it was submitted.
        made = template(plan.strategy, None if loaded.benchmark.run.schedule else clients[0])
    return dict(made.to_dict()["spec"])


def _metadata(benchmark: str, *, is_scheduled: bool, is_named: bool) -> dict[str, Any]:
    labels = {"app.kubernetes.io/part-of": "windtunnel"}
    if is_scheduled:
        return {"name": benchmark[:52], "labels": labels}
    name = f"{benchmark[:40]}-"
    return {"name": f"{name}{token_hex(3)}", "labels": labels} if is_named else {"generateName": name, "labels": labels}


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
