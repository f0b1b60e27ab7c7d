"""A workflow's parameters, as each of its pods finds them: the benchmark, its plan, and the run's id."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from windtunnel.backends import make_backend
from windtunnel.backends.containers import with_ports
from windtunnel.backends.kubernetes.container_spec import is_in_client
from windtunnel.backends.support import check_support
from windtunnel.benchmark import Loaded, parse_all, require_single
from windtunnel.engines.argo.carrier import carrier_name, check_given
from windtunnel.engines.argo.cells import LONGEST_NAME, Cell, run_suffix
from windtunnel.engines.argo.labels import BACKEND
from windtunnel.engines.argo.parameter_values import (
    CONFIG_MAP,
    FILE,
    benchmark_of,
    check_hidden,
    decoded,
    flag_of,
    overrides_of,
)
from windtunnel.errors import DescriptorError, PlanError, Unsupported
from windtunnel.plan import Job, Plan
from windtunnel.run.record import SweepPart
from windtunnel.strategies import make_plan

PARAMETERS = {
    "benchmark": "The benchmark: TOML without {{, base64 of TOML, or with the key benchmark.toml configmap/NAME"
    " or, if it has secrets, secret/NAME.",
    "set": "Keys to override, KEY=VALUE, one a line; or, with the key set, configmap/NAME or secret/NAME.",
    "store": "Where the run is kept, s3://bucket/prefix or pvc://claim/path, instead of the benchmark's.",
    "inputs": "Inputs that are files of somebody's machine, configmap/NAME or secret/NAME: the first input of the"
    " benchmark has the key input-1.",
    "strict": "true: a suspect result is a failure.",
    "fetch": "true: somebody waits to fetch the run's folder.",
    "image": "Windtunnel's own image.",
}
"""The parameters of every template, and what they are."""


@dataclass(frozen=True)
class WorkflowParameters:
    """A workflow's parameters, and what follows from them, the same in each of its pods.

    Attributes:
        loaded: The benchmark.
        plan: Its plan, in which each port is chosen.
        run_id: The run's id.
        store: Where the run is kept, if not where the benchmark says.
        is_strict: Whether a suspect result is a failure.
        is_fetched: Whether somebody waits for the run's folder.
        workflow: The workflow's name.
        image: Windtunnel's own image.
        planned: Digest of the client's pods, if those were planned when the workflow was submitted.
        inputs: The object that has the inputs that are files of somebody's machine, ``configmap/NAME`` or
            ``secret/NAME``, if it has any.
        is_carried: Whether the workflow has a ConfigMap of its own that carries something to it.
        cell: Which of a matrix's runs it is, if it is one.
        sweep: The same for its record.
    """

    loaded: Loaded
    plan: Plan
    run_id: str
    store: str | None
    is_strict: bool
    is_fetched: bool
    workflow: str
    image: str
    planned: str | None
    inputs: str = ""
    is_carried: bool = False
    cell: Cell | None = None
    sweep: SweepPart | None = None

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] = os.environ) -> WorkflowParameters:
        """Return the parameters that this pod has as variables.

        Raises:
            DescriptorError, PlanError, Unsupported, UsageError: The benchmark is wrong, or Argo cannot run it.
        """
        names = PARAMETERS.keys() - {"image"}
        # Templates of an older version do not give all of them.
        given = {name: decoded(variables.get(f"WINDTUNNEL_{name.upper()}", "")) for name in names}
        benchmark, changes = benchmark_of(given["benchmark"]), overrides_of(given["set"])
        overrides = [line for line in changes.text.split("\n") if line.strip()]
        benchmarks, cell = parse_all(benchmark.text, Path(FILE), overrides), Cell.of(variables)
        loaded = cell.choose(benchmarks) if cell else require_single(benchmarks)
        check_hidden(benchmark, changes, loaded.redaction)
        plan = make_plan(loaded.benchmark)
        if plan.strategy != variables["WINDTUNNEL_STRATEGY"]:
            wanted = variables["WINDTUNNEL_STRATEGY"]
            raise DescriptorError(f"{FILE}: its strategy is {plan.strategy}; this is the template {wanted}")
        check_plan(plan)
        check_given(plan, given["inputs"])
        own = f"{CONFIG_MAP}{carrier_name(variables['WINDTUNNEL_WORKFLOW'])}"
        moment = int(variables["WINDTUNNEL_CREATED"]), variables["WINDTUNNEL_WORKFLOW_UID"]
        run_id, sweep = run_name(plan.benchmark, *moment, cell.number if cell else None), None
        if cell:
            sweep_id = run_name(benchmarks[0].benchmark.benchmark.name[:LONGEST_NAME], *moment)
            sweep = SweepPart(id=sweep_id, values=loaded.redaction.values(loaded.combination))
        return cls(
            loaded=loaded,
            plan=ported(plan),
            run_id=run_id,
            store=given["store"] or None,
            is_strict=flag_of("strict", given["strict"]),
            is_fetched=flag_of("fetch", given["fetch"]),
            workflow=variables["WINDTUNNEL_WORKFLOW"],
            image=variables["WINDTUNNEL_RUNNER_IMAGE"],
            planned=variables.get("WINDTUNNEL_PLANNED"),
            inputs=given["inputs"].strip(),
            is_carried=own in (given["benchmark"].strip(), given["inputs"].strip()),
            cell=cell,
            sweep=sweep,
        )

    @property
    def job(self) -> Job:
        """The one job that there is."""
        (job,) = self.plan.jobs
        return job


def check_plan(plan: Plan) -> None:
    """Refuse a plan that Argo, or the backend of its pods, cannot run (Unsupported, PlanError)."""
    for step in plan.steps:
        if step.program.isolation == "sealed" and (isinstance(step, Job) or is_in_client(step)):
            raise Unsupported(
                f"{step.name}: sealed cannot be kept under Argo for what is in the client's pod: Argo's own container"
                " there has to reach the API server, and what one container of a pod reaches, all of them do;"
                " use windtunnel run --backend kubernetes, or seal servers of their own pods alone",
                step=step.name,
            )
    if len(plan.jobs) != 1:
        raise PlanError(f"{len(plan.jobs)} jobs: Argo can run one")
    check_support(plan, make_backend(BACKEND))


def ported(plan: Plan) -> Plan:
    """Return a plan in which every port is chosen, always the same ones: pods have addresses of their own."""
    return with_ports(plan, plan.benchmark)


def run_name(benchmark: str, created: int, uid: str, cell: int | None = None) -> str:
    """Return the id of a workflow's run, the same in all of its pods; it sorts by time like any other.

    That of a matrix's cell has the cell's number; without one, it is the matrix's own. `_run_expression` in
    templates.py finds the same.
    """
    moment = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(created))}-{uid.replace('-', '')[:4]}"
    return f"{benchmark[:40]}-{moment}" if cell is None else f"{benchmark[:LONGEST_NAME]}-{moment}{run_suffix(cell)}"
