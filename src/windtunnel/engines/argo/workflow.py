"""A workflow as the API has it: read, changed, annotated and stopped."""

from __future__ import annotations

from typing import Any

from windtunnel.backends import make_backend
from windtunnel.backends.kubernetes.api import NOT_FOUND, Cluster, Refused, connect, map_errors
from windtunnel.engines.argo.labels import BACKEND, COMPONENT, DRIVE, WORKFLOW
from windtunnel.errors import PlatformError

GROUP = "/apis/argoproj.io/v1alpha1"
_OVER = {"Succeeded", "Failed"}


def require_api(cluster: Cluster) -> None:
    """Refuse a cluster without Argo Workflows (PlatformError)."""
    try:
        cluster.call("GET", GROUP)
    except Refused as error:
        if error.status != NOT_FOUND:
            raise error.to_error("looking for Argo Workflows") from None
        raise PlatformError(f"{cluster.context} has no Argo Workflows", code="no_argo") from None


def unreachable() -> str | None:
    """Return why no workflow can be submitted from here, or None if it can."""
    if reason := make_backend(BACKEND).available():
        return reason
    try:
        require_api(connect())
    except PlatformError as error:
        return error.message
    return None


def path(cluster: Cluster, kind: str, name: str = "") -> str:
    """Return where an object of Argo's is, or all of its kind."""
    return f"{GROUP}/namespaces/{cluster.namespace}/{kind}" + (f"/{name}" if name else "")


def read(cluster: Cluster, name: str) -> dict[str, Any]:
    """Return a workflow (PlatformError)."""
    with map_errors(f"workflow {name}"):
        return dict(cluster.call("GET", path(cluster, "workflows", name)))


def change(cluster: Cluster, name: str, body: dict[str, Any]) -> None:
    """Change a workflow by a JSON merge patch (PlatformError)."""
    with map_errors(f"workflow {name}"):
        cluster.call("PATCH", path(cluster, "workflows", name), body)


def stop(cluster: Cluster, name: str) -> None:
    """Have Argo stop a workflow; its exit handler runs all the same (PlatformError)."""
    change(cluster, name, {"spec": {"shutdown": "Stop"}})


def annotate(cluster: Cluster, name: str, **values: str | None) -> None:
    """Set annotations by their whole names; None takes one away (PlatformError)."""
    change(cluster, name, {"metadata": {"annotations": values}})


def annotations_of(workflow: dict[str, Any]) -> dict[str, str]:
    """Return a workflow's annotations."""
    return dict(workflow["metadata"].get("annotations") or {})


def labels_of(workflow: dict[str, Any]) -> dict[str, str]:
    """Return a workflow's labels."""
    return dict(workflow["metadata"].get("labels") or {})


def drives(cluster: Cluster, name: str) -> bool:
    """Tell whether a workflow's driver still runs."""
    with map_errors(f"the driver of workflow {name}"):
        pods = cluster.find("Pod", f"{WORKFLOW}={name},{COMPONENT}={DRIVE}")
    return any(pod["status"].get("phase") not in _OVER for pod in pods)
