"""A Job of one pod, run to its end for what its container says."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from windtunnel.backends.kubernetes.api import Cluster, Refused, map_errors
from windtunnel.backends.kubernetes.diagnosis import Diagnosis, to_error
from windtunnel.backends.kubernetes.pods import PodView
from windtunnel.errors import PlatformError

_LOOK_SECONDS = 0.5
_LAST_LINES = 20


@dataclass(frozen=True)
class JobEnd:
    """How a Job's container ended: its exit code, and the last lines that it wrote, else why it could not start."""

    code: int
    words: str


def run_job(cluster: Cluster, job: Mapping[str, Any], seconds: float) -> JobEnd:
    """Make a Job, wait until the first container of its pod has ended, and delete the Job.

    Args:
        cluster: Where.
        job: Its manifest, with a name.
        seconds: How long it may take.

    Raises:
        PlatformError: It may not be made, its pod cannot start, or it takes too long.
    """
    name = job["metadata"]["name"]
    with map_errors(f"making the Job {name}"):
        cluster.create(job)
    try:
        return _wait(cluster, job, seconds)
    finally:
        cluster.delete("Job", name)


def _wait(cluster: Cluster, job: Mapping[str, Any], seconds: float) -> JobEnd:
    name = job["metadata"]["name"]
    container = job["spec"]["template"]["spec"]["containers"][0]["name"]
    diagnosis, deadline = Diagnosis(cluster), time.monotonic() + seconds
    while time.monotonic() < deadline:
        with map_errors(f"looking at the pod of the Job {name}"):
            pods = [PodView(each) for each in cluster.find("Pod", f"job-name={name}")]
        for pod in pods:
            if ended := pod.terminated(container):
                words = _last_lines(cluster, pod.name, container) or ended.get("message", "")
                return JobEnd(int(ended["exitCode"]), words)
        troubles = [diagnosis.of_pod(pod) for pod in pods] or [diagnosis.of_job(name)]
        if trouble := next(filter(None, troubles), None):
            raise to_error(f"its pod {pods[0].name}" if pods else f"the Job {name}", trouble)
        time.sleep(_LOOK_SECONDS)
    raise PlatformError(f"the Job {name} did not end within {seconds:g} s", code="not_ready")


def _last_lines(cluster: Cluster, pod: str, container: str) -> str:
    query = {"container": container, "tailLines": _LAST_LINES}
    try:
        answer = cluster.retry(lambda: cluster.open("GET", f"{cluster.path('Pod', pod)}/log", query=query))
    except Refused as error:
        return f"its output cannot be read: {error.message}"
    return bytes(answer.data).decode(errors="replace").strip()
