"""The pod `drive`: the walk, while Argo makes the client's pods."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from windtunnel.backends.agent.places import result_file
from windtunnel.backends.kubernetes import KubernetesBackend
from windtunnel.backends.kubernetes.calls import Cluster, connect
from windtunnel.backends.kubernetes.objects import Arranged, Manifest
from windtunnel.engines.argo.causes import as_known, cause_of, leave, words_of
from windtunnel.engines.argo.end_clients import end_clients
from windtunnel.engines.argo.labels import (
    FETCH_SECONDS,
    FETCHED,
    FETCHING,
    FOLDER,
    RESUBMITTED,
    RUN,
    TRANSFER_SECONDS,
)
from windtunnel.engines.argo.parameters import Given
from windtunnel.engines.argo.pod_patch import digest, planned
from windtunnel.engines.argo.workflow import (
    annotate,
    annotations_of,
    begin,
    labels_of,
    nodes_of,
    path,
    read,
    refuse,
    tell,
)
from windtunnel.engines.execute import execute
from windtunnel.engines.request import Request, make_request
from windtunnel.errors import PlatformError, UsageError
from windtunnel.run.control import Control
from windtunnel.run.events import Event
from windtunnel.run.record import RunRecord

FETCHED_AS = "run"
"""What the archive of a run's folder is called."""
_LOOK_SECONDS = 0.1
_STOPPED = "stopped: Argo asked for it (`argo stop`, `argo terminate`), or the driver's pod was deleted or evicted"
_GOES = "its folder goes with the driver's pod, its record stays with the workflow"
_GOES_HOME = "its folder goes to `submit --wait`"
T = TypeVar("T")


class Teller:
    """Tells events on standard output, which Argo keeps."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Hear of an event."""
        words = " ".join(str(each) for each in (event.type.value, event.step, event.iteration, event.message) if each)
        sys.stdout.write(f"{time.monotonic() - self._began:7.2f} s  {words}\n")
        sys.stdout.flush()


class Heed:
    """SIGTERM as a cancel, once: Argo signals a pod that it wants to end again and again.

    Attributes:
        control: What is cancelled; what was asked for before there was one is made up for.
    """

    def __init__(self) -> None:
        self._control: Control | None = None
        self._is_asked = False
        signal.signal(signal.SIGTERM, self._hear)

    def tell(self, control: Control) -> None:
        """Cancel this from now on."""
        self._control = control
        if self._is_asked:
            control.cancel(_STOPPED)

    def _hear(self, _number: int, _frame: object) -> None:
        if not self._is_asked and self._control:
            self._control.cancel(_STOPPED)
        self._is_asked = True


def drive() -> int:
    """Run the benchmark and tell the workflow what became of it; return the run's exit code.

    Raises:
        WindtunnelError: The run could not begin, or its folder was not fetched; Argo waits for it no more.
    """
    heed, cluster = Heed(), connect()
    workflow = read(cluster, os.environ["WINDTUNNEL_WORKFLOW"])
    try:
        given, record = _run(cluster, workflow, heed)
    except Exception as error:
        known = as_known(error)
        with contextlib.suppress(PlatformError):
            refuse(cluster, workflow, known)
            end_clients(cluster, workflow["metadata"]["name"], words_of(known.code, known.message))
        raise
    return _conclude(cluster, given, record)


def _run(cluster: Cluster, workflow: dict[str, Any], heed: Heed) -> tuple[Given, RunRecord]:
    given = Given.find()
    if RESUBMITTED in labels_of(workflow):
        # Who waited for the run's folder does not wait for that of another run.
        given = replace(given, is_fetched=False)
    request = _request(given, cluster, workflow)
    begin(cluster, workflow, given.run_id)
    heed.tell(request.control)
    return given, execute(request, "argo", _call)


def check(given: Given, workflow: dict[str, Any]) -> None:
    """Refuse what a template or somebody who submits cannot know (UsageError)."""
    if given.planned not in {None, digest(planned(given.plan, given.image))}:
        raise UsageError(
            "this workflow's client was planned when it was rendered, from other parameters or by another version"
            " of Windtunnel: render or submit the benchmark again"
        )
    if labels_of(workflow).get(RUN) == given.run_id:
        raise UsageError("this run is over, and its servers are gone: use `argo resubmit`, which starts a new one")
    if any(node.get("phase") == "Skipped" for node in nodes_of(workflow)):
        raise UsageError(
            "iterations of another run are none of this one: use `argo resubmit` without --memoized, or submit it again"
        )


def _conclude(cluster: Cluster, given: Given, record: RunRecord) -> int:
    leave(words := cause_of(record))
    try:
        tell(cluster, given.workflow, record)
        if given.is_fetched:
            _await_fetch(cluster, given.workflow, Path(record.path or ""))
    finally:
        if record.exit_code:
            job = given.job
            ran = [each.iteration or 0 for each in record.phases if (each.step, each.phase) == (job.name, "run")]
            end_clients(cluster, given.workflow, words, job.warmup + job.repeats, max(ran, default=0))
    return record.exit_code or 0


def _request(given: Given, cluster: Cluster, workflow: dict[str, Any]) -> Request:
    check(given, workflow)
    request = make_request(given.loaded, given.plan, "kubernetes", given.store)
    if request.remote is None and not given.is_fetched:
        raise UsageError(
            f"store {request.store}: a folder of this pod's goes with it; give s3://bucket/prefix or pvc://claim/path"
            " (-p store=…), or use `windtunnel submit --wait`, which fetches it"
        )
    backend = KubernetesBackend(Arranged(_own_pod(), path(cluster, "workflows", given.workflow)))
    return replace(
        request,
        backend=backend,
        run_id=given.run_id,
        strict=given.is_strict,
        observers=[Teller()],
        # A folder that the benchmark names is one of the machine that fetches it.
        store=request.store if request.remote else Path("runs"),
        unstored=_GOES_HOME if given.is_fetched else _GOES,
    )


def _own_pod() -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": os.environ["WINDTUNNEL_POD"],
        "uid": os.environ["WINDTUNNEL_POD_UID"],
    }


def _call(_name: str, act: Callable[[], T]) -> T:
    return act()


def _await_fetch(cluster: Cluster, workflow: str, folder: Path) -> None:
    """Keep the run's folder until it was fetched, a minute at most."""
    archive = result_file(FETCHED_AS)
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w") as file:
        file.add(folder, arcname=folder.name)
    pod, began = os.environ["WINDTUNNEL_POD"], time.monotonic()
    annotate(cluster, workflow, **{FOLDER: pod})
    while (found := annotations_of(read(cluster, workflow))).get(FETCHED) != pod:
        patience = TRANSFER_SECONDS if found.get(FETCHING) == pod else FETCH_SECONDS
        if time.monotonic() > began + patience:
            raise PlatformError(f"nobody has fetched the run's folder within {patience:g} s", code="not_fetched")
        time.sleep(_LOOK_SECONDS)
