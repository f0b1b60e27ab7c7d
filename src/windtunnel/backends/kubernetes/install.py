"""What a namespace needs once: the wardens' account, and the rights of those who run benchmarks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from windtunnel.backends import make_backend
from windtunnel.backends.kubernetes.api import FORBIDDEN, NOT_FOUND, Cluster, Refused, connect, map_errors
from windtunnel.backends.kubernetes.settings import ACCOUNT, RUNNER
from windtunnel.errors import PlatformError
from windtunnel.install_options import Installed, InstallOptions

NODES = "windtunnel-nodes"
_RBAC = "rbac.authorization.k8s.io"
_ALL = ["create", "delete", "deletecollection", "get", "list", "watch"]
_FIELD_MANAGER = "windtunnel"


def manifests(namespace: str) -> list[dict[str, Any]]:
    """Return the objects for a namespace, each with the least rights that will do.

    A warden looks at its lease. A runner makes a run's objects, reads its pods' output and what
    the cluster tells of them (events) and of a store's claim, runs probes in them, and looks at nodes: for their zones,
    for one that is left to the client, and for what the report says of them. It extends the time
    of a warden's Job while that lives.
    """
    return [
        account(ACCOUNT, namespace),
        role("Role", ACCOUNT, namespace, [rule("coordination.k8s.io", ["leases"], ["get"])]),
        binding("RoleBinding", ACCOUNT, ACCOUNT, namespace),
        account(RUNNER, namespace),
        role("Role", RUNNER, namespace, _runner_rules()),
        binding("RoleBinding", RUNNER, RUNNER, namespace),
        role("ClusterRole", NODES, None, [rule("", ["nodes"], ["get", "list"])]),
        # One binding for each namespace: a cluster has one of a name.
        binding("ClusterRoleBinding", f"{NODES}-{namespace}", RUNNER, namespace, NODES),
    ]


def _runner_rules() -> list[dict[str, Any]]:
    return [
        rule("", ["pods", "services", "configmaps"], _ALL),
        rule("", ["secrets"], [each for each in _ALL if each != "watch"]),
        rule("", ["pods/log"], ["get"]),
        rule("", ["pods/exec"], ["create", "get"]),
        rule("", ["serviceaccounts"], ["get"], [ACCOUNT]),
        rule("", ["events"], ["list"]),
        rule("", ["persistentvolumeclaims"], ["get"]),
        rule("batch", ["jobs"], [*_ALL, "patch"]),
        rule("coordination.k8s.io", ["leases"], [*_ALL, "patch"]),
        rule("networking.k8s.io", ["networkpolicies"], _ALL),
    ]


def apply(cluster: Cluster, wanted: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Make objects as `manifests` returns them, or renew them; yield a line for each.

    What this user may not make is left as an administrator has made it, and the cluster-wide part may be missing.

    Raises:
        PlatformError: The namespace is missing, or this user may not do it.
    """
    check_namespace(cluster)
    for manifest in wanted:
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        query = {"fieldManager": _FIELD_MANAGER, "force": "true"}
        with map_errors(f"making the {kind} {name}"):
            try:
                cluster.call("APPLY", path_of(manifest), manifest, query)
            except Refused as error:
                if error.status != FORBIDDEN:
                    raise
                yield f"{kind} {name} ({_without(cluster, manifest, error)})"
            else:
                yield f"{kind} {name}"


def _without(cluster: Cluster, manifest: Mapping[str, Any], refusal: Refused) -> str:
    """Return in words what becomes of an object that may not be made (Refused if it cannot be done without)."""
    try:
        found = cluster.call("GET", path_of(manifest))
    except Refused:
        found = None
    if found is not None and all(found.get(key) == manifest[key] for key in manifest.keys() - {"metadata"}):
        return "is there; left as it is"
    if "namespace" not in manifest["metadata"]:
        return "left out, since you may not make it: runs do not look at nodes"
    advice = "an administrator may apply what the same command prints with --print"
    raise Refused(refusal.status, f"{refusal.message}; {advice}")


def path_of(manifest: Mapping[str, Any]) -> str:
    """Return where the API has an object that a manifest describes."""
    version, metadata = manifest["apiVersion"], manifest["metadata"]
    group = f"/apis/{version}" if "/" in version else f"/api/{version}"
    inside = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{group}{inside}/{manifest['kind'].lower()}s/{metadata['name']}"


def check_namespace(cluster: Cluster) -> None:
    """Check that a namespace is there, as far as this user may look (PlatformError)."""
    with map_errors(f"namespace {cluster.namespace} of {cluster.context}"):
        try:
            cluster.call("GET", f"/api/v1/namespaces/{cluster.namespace}")
        except Refused as error:
            if error.status == NOT_FOUND:
                raise
            # An account that may make roles in it need not be allowed to look at it.


def namespace(chosen: str | None) -> str:
    """Return the namespace that is meant: the chosen one, else the context's own (PlatformError)."""
    return chosen or require_cluster().namespace


def require_cluster(namespace: str | None = None) -> Cluster:
    """Return a namespace of the cluster, the context's own if None, once the cluster answers (PlatformError)."""
    if reason := make_backend("kubernetes").available():
        raise PlatformError(f"kubernetes: {reason}", code="backend_unavailable")
    return connect(namespace)


def install(options: InstallOptions) -> Installed:
    """Install into a namespace; see `Installer`."""
    cluster = require_cluster(options.namespace)
    lines = list(apply(cluster, manifests(cluster.namespace)))
    hint = f"namespace {cluster.namespace} is ready: windtunnel run FILE --backend kubernetes"
    return Installed(lines, [hint], cluster.namespace)


def as_manifests(options: InstallOptions) -> list[dict[str, Any]]:
    """Return the objects for a namespace; see `Installer`."""
    return manifests(namespace(options.namespace))


def rule(group: str, resources: list[str], verbs: list[str], names: list[str] | None = None) -> dict[str, Any]:
    """Return a rule of a role."""
    found: dict[str, Any] = {"apiGroups": [group], "resources": resources, "verbs": verbs}
    return found | ({"resourceNames": names} if names else {})


def _metadata(name: str, namespace: str | None) -> dict[str, Any]:
    place = {"namespace": namespace} if namespace else {}
    return {"name": name, **place, "labels": {"app.kubernetes.io/part-of": "windtunnel"}}


def account(name: str, namespace: str) -> dict[str, Any]:
    """Return a service account."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(name, namespace)}


def role(kind: str, name: str, namespace: str | None, rules: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a Role, or without a namespace a ClusterRole."""
    return {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": _metadata(name, namespace), "rules": rules}


def binding(kind: str, name: str, account: str, namespace: str, role: str | None = None) -> dict[str, Any]:
    """Return what gives an account a role, the one of the binding's own account unless another is named."""
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": kind,
        "metadata": _metadata(name, None if kind.startswith("Cluster") else namespace),
        "roleRef": {"apiGroup": _RBAC, "kind": kind.removesuffix("Binding"), "name": role or account},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }
