"""The pod `drive`: the walk, while Argo makes the client's pods."""

from __future__ import annotations

import contextlib
import os
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from windtunnel.backends.agent.places import result_file
from windtunnel.backends.kubernetes import KubernetesBackend
from windtunnel.backends.kubernetes.api import Cluster, connect
from windtunnel.backends.kubernetes.driver_pod import driver_pod
from windtunnel.backends.kubernetes.settings import POD
from windtunnel.engines.argo.acts import Acts, forget
from windtunnel.engines.argo.carrier import adopt, place_inputs
from windtunnel.engines.argo.causes import as_known, cause_of, leave, words_of
from windtunnel.engines.argo.cells import Cell, number_of
from windtunnel.engines.argo.end_clients import ClientPods, end_clients
from windtunnel.engines.argo.labels import FETCHED, FETCHED_AS, FETCHING, FOLDER, RESUBMITTED, RUN
from windtunnel.engines.argo.nodes import explain, nodes_of
from windtunnel.engines.argo.outputs import write_report, write_told
from windtunnel.engines.argo.parameters import WorkflowParameters
from windtunnel.engines.argo.pod_gate import GatedPods
from windtunnel.engines.argo.pod_patch import digest, planned
from windtunnel.engines.argo.status import begin, refuse, write_cell, write_record
from windtunnel.engines.argo.termination import Termination
from windtunnel.engines.argo.workflow import annotate, annotations_of, labels_of, path, read
from windtunnel.engines.execute import execute
from windtunnel.engines.inline import call_directly
from windtunnel.engines.request import Request, make_request
from windtunnel.errors import PlatformError, UsageError
from windtunnel.run.events import Event
from windtunnel.run.record import RunRecord

FETCH_SECONDS = 60.0
"""How long a folder waits for somebody who fetches it."""
TRANSFER_SECONDS = 1800.0
"""How long that may take."""
_LOOK_SECONDS = 0.1
_GOES = "its folder goes with the driver's pod, its record stays with the workflow"
_GOES_HOME = "its folder goes to `submit --wait`"


class StdoutObserver:
    """Writes each event as a line to standard output, which Argo keeps as the pod's log."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Write one event, with the seconds since the driver began."""
        words = " ".join(str(each) for each in (event.type.value, event.step, event.iteration, event.message) if each)
        sys.stdout.write(f"{time.monotonic() - self._began:7.2f} s  {words}\n")
        sys.stdout.flush()


def drive() -> int:
    """Run the benchmark and tell the workflow what became of it; return the run's exit code.

    Raises:
        WindtunnelError: The run could not begin, or its folder was not fetched; Argo waits for it no more.
    """
    cluster, cell, name = connect(), number_of(Cell.of(os.environ)), os.environ["WINDTUNNEL_WORKFLOW"]
    termination = Termination(cluster, name)
    workflow = read(cluster, name)
    try:
        parameters, record = _run(cluster, workflow, termination)
    except Exception as error:
        known = as_known(error)
        with contextlib.suppress(PlatformError):
            words = words_of(known.code, known.message)
            if cell is None:
                explain(cluster, name, words)
            refuse(cluster, workflow, known, cell)
            end_clients(cluster, ClientPods(name, cell), words)
        raise
    return _conclude(cluster, parameters, record, workflow)


def _run(cluster: Cluster, workflow: dict[str, Any], termination: Termination) -> tuple[WorkflowParameters, RunRecord]:
    cell = number_of(Cell.of(os.environ))
    forget(cluster, workflow["metadata"]["name"], cell)
    parameters = WorkflowParameters.from_environment()
    if RESUBMITTED in labels_of(workflow):
        # Who waited for the run's folder does not wait for that of another run.
        parameters = replace(parameters, is_fetched=False)
    if parameters.is_carried:
        adopt(cluster, workflow)
    acts = Acts(cluster, parameters.workflow, parameters.plan, cell)
    request = replace(_request(parameters, cluster, workflow), observers=[StdoutObserver(), acts])
    begin(cluster, workflow, parameters.run_id, cell)
    with termination.ends(request.control):
        record = execute(request, "argo", call_directly)
    acts.show()
    return parameters, record


def check(parameters: WorkflowParameters, workflow: dict[str, Any]) -> None:
    """Refuse what a template or somebody who submits cannot know (UsageError)."""
    if parameters.planned not in {None, digest(planned(parameters.plan, parameters.image))}:
        raise UsageError(
            "this workflow's client was planned when it was rendered, from other parameters or by another version"
            " of Windtunnel: render or submit the benchmark again"
        )
    # The label comes once all of a workflow is over; that of a matrix has the matrix's own id.
    if labels_of(workflow).get(RUN) == (parameters.sweep.id if parameters.sweep else parameters.run_id):
        raise UsageError("this run is over, and its servers are gone: use `argo resubmit`, which starts a new one")
    if any(node.get("phase") == "Skipped" for node in nodes_of(workflow)):
        raise UsageError(
            "iterations of another run are none of this one: use `argo resubmit` without --memoized, or submit it again"
        )


def _conclude(cluster: Cluster, parameters: WorkflowParameters, record: RunRecord, workflow: Mapping[str, Any]) -> int:
    leave(words := cause_of(record))
    cell = parameters.cell
    try:
        if cell:
            write_cell(cluster, parameters.workflow, record, cell)
        else:
            if words:
                explain(cluster, parameters.workflow, words)
            write_record(cluster, parameters.workflow, record)
        if parameters.is_fetched:
            _await_fetch(cluster, parameters.workflow, Path(record.path or ""))
    finally:
        if record.exit_code:
            job = parameters.job
            ran = [each.iteration or 0 for each in record.phases if (each.step, each.phase) == (job.name, "run")]
            counts = job.warmup + job.repeats, max(ran, default=0)
            end_clients(cluster, ClientPods(parameters.workflow, number_of(cell), *counts), words)
    write_report(record, workflow)
    # The last thing of all: `finish` looks no further where it says that the run is well.
    write_told(record)
    return record.exit_code or 0


def _request(parameters: WorkflowParameters, cluster: Cluster, workflow: dict[str, Any]) -> Request:
    check(parameters, workflow)
    workflow_path = path(cluster, "workflows", parameters.workflow)
    cell = number_of(parameters.cell)
    pods = GatedPods(driver_pod(cluster), workflow_path, cluster.path("Pod"), parameters.run_id, cell)
    backend = KubernetesBackend(pods)
    request = make_request(parameters.loaded, parameters.plan, backend, parameters.store)
    if request.remote is None and not parameters.is_fetched:
        raise UsageError(
            f"store {request.store}: a folder of this pod's goes with it; give s3://bucket/prefix or pvc://claim/path"
            " (-p store=…), or use `windtunnel submit --wait`, which fetches it"
        )
    redaction = parameters.loaded.redaction
    return replace(
        request,
        carried=place_inputs(parameters.inputs, parameters.plan, redaction, Path(tempfile.mkdtemp())),
        run_id=parameters.run_id,
        strict=parameters.is_strict,
        sweep=parameters.sweep,
        # A folder that the benchmark names is one of the machine that fetches it.
        store=request.store if request.remote else Path("runs"),
        unstored=_GOES_HOME if parameters.is_fetched else _GOES,
    )


def _await_fetch(cluster: Cluster, workflow: str, folder: Path) -> None:
    """Keep the run's folder until it was fetched, a minute at most."""
    archive = result_file(FETCHED_AS)
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w") as file:
        file.add(folder, arcname=folder.name)
    pod, began = os.environ[POD], time.monotonic()
    annotate(cluster, workflow, **{FOLDER: pod})
    while (found := annotations_of(read(cluster, workflow))).get(FETCHED) != pod:
        patience = TRANSFER_SECONDS if found.get(FETCHING) == pod else FETCH_SECONDS
        if time.monotonic() > began + patience:
            raise PlatformError(f"nobody has fetched the run's folder within {patience:g} s", code="not_fetched")
        time.sleep(_LOOK_SECONDS)
