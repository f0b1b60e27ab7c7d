"""Where the API has the objects of a namespace, as paths. No I/O."""

from __future__ import annotations

_COLLECTIONS = {
    "Pod": "/api/v1/namespaces/{}/pods",
    "Service": "/api/v1/namespaces/{}/services",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims",
    "Event": "/api/v1/namespaces/{}/events",
}
"""Where the objects of each kind that a run has are, or that it asks about."""


def api_path(namespace: str, kind: str, name: str = "") -> str:
    """Return where an object of a namespace is, or all of its kind."""
    return _COLLECTIONS[kind].format(namespace) + (f"/{name}" if name else "")
