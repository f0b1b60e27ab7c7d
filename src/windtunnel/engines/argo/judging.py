"""What is asked of a run whose workflow is over: what is left of it, and what its end comes to."""

from __future__ import annotations

from typing import Any

from windtunnel.backends.kubernetes.api import Cluster
from windtunnel.backends.kubernetes.resources import KubernetesResources
from windtunnel.backends.resources import remove_all
from windtunnel.engines.argo.causes import cause_of, words_of
from windtunnel.engines.argo.status import refusal_of, stopped_early
from windtunnel.errors import Cancelled, ExitCode, PlatformError, WindtunnelError
from windtunnel.run.record import RunRecord

GONE_SECONDS = 30.0
"""How long what is left may take to go."""


def unrecorded(workflow: dict[str, Any], cell: int | None = None, failure: str | None = None) -> WindtunnelError:
    """Return why there is no record of a run.

    Args:
        workflow: The workflow, whose drivers have ended.
        cell: Which of a matrix's runs it is, if it is one.
        failure: What Argo says of a pod that failed, if one did.
    """
    words = f"; Argo says of {failure}" if failure else ""
    lost = PlatformError(f"the driver was lost, and its log may say why{words}", code="driver_lost")
    return refusal_of(workflow, cell) or stopped_early(workflow, cell) or lost


def status_of(error: WindtunnelError) -> str:
    """Return the status of a run without a record."""
    return "cancelled" if isinstance(error, Cancelled) else "failed"


def judge(record: RunRecord, left: list[str], failure: str | None) -> tuple[int, str]:
    """Return the exit code, and the cause if it is not 0: a run may be well and its workflow not."""
    if record.exit_code:
        return record.exit_code, cause_of(record)
    if left:
        return int(ExitCode.LEFT_BEHIND), words_of("left_behind", ", ".join(left))
    if failure:
        return int(ExitCode.PLATFORM), words_of("workflow_failed", failure)
    return 0, ""


def remove(cluster: Cluster, run: str) -> list[str]:
    """Delete what is left of a run; return what does not go."""
    resources = KubernetesResources(cluster, insists=True)
    # What is on its way already is given a while.
    left = remove_all(resources, lambda: resources.find(run), GONE_SECONDS, wait=GONE_SECONDS / 2)
    return [f"{one.kind.lower()} {one.name}" for one in left]
