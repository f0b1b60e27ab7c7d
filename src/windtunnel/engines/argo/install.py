"""What a namespace needs for our workflows: an account with its rights, and the templates."""

from __future__ import annotations

from typing import Any

import yaml

from windtunnel.backends.kubernetes import install as kubernetes
from windtunnel.backends.kubernetes.settings import ACCOUNT as WARDEN_ACCOUNT
from windtunnel.backends.kubernetes.settings import RUNNER
from windtunnel.content import argo_templates
from windtunnel.engines.argo.labels import ACCOUNT
from windtunnel.engines.argo.workflow import require_api
from windtunnel.install_options import Installed, InstallOptions

_GROUP = "argoproj.io"
STOPPER = "windtunnel-stopper"
"""The role of wardens: to stop a workflow whose driver is lost, and to delete its clients."""


def manifests(namespace: str) -> list[dict[str, Any]]:
    """Return the objects for a namespace: what the kubernetes backend needs, an account, its rights, the templates.

    The account makes runs like any other runner, lets clients' pods be scheduled or says that they failed, reports to
    Argo, writes verdicts on workflows, and has a ConfigMap go with its workflow. Wardens may stop a workflow whose
    driver is lost.
    """
    return [*kubernetes.manifests(namespace), *_rights(namespace), *templates(namespace)]


def templates(namespace: str) -> list[dict[str, Any]]:
    """Return the WorkflowTemplates as they were rendered."""
    found = [yaml.safe_load(text) for text in argo_templates()]
    return [each | {"metadata": each["metadata"] | {"namespace": namespace}} for each in found]


def _rights(namespace: str) -> list[dict[str, Any]]:
    rules = [
        kubernetes.rule("", ["pods", "pods/status", "configmaps"], ["patch"]),
        kubernetes.rule(_GROUP, ["workflows"], ["get", "patch"]),
        kubernetes.rule(_GROUP, ["workflowtaskresults"], ["create", "patch"]),
    ]
    stopping = [
        kubernetes.rule(_GROUP, ["workflows"], ["patch"]),
        kubernetes.rule("", ["pods"], ["deletecollection"]),
    ]
    return [
        kubernetes.role("Role", STOPPER, namespace, stopping),
        kubernetes.binding("RoleBinding", STOPPER, WARDEN_ACCOUNT, namespace, STOPPER),
        kubernetes.account(ACCOUNT, namespace),
        kubernetes.role("Role", ACCOUNT, namespace, rules),
        kubernetes.binding("RoleBinding", ACCOUNT, ACCOUNT, namespace),
        kubernetes.binding("RoleBinding", f"{ACCOUNT}-runner", ACCOUNT, namespace, RUNNER),
        kubernetes.binding("ClusterRoleBinding", f"{ACCOUNT}-nodes-{namespace}", ACCOUNT, namespace, kubernetes.NODES),
    ]


def install(options: InstallOptions) -> Installed:
    """Install into a namespace, once Argo is there; see `Installer`."""
    cluster = kubernetes.require_cluster(options.namespace)
    require_api(cluster)
    lines = list(kubernetes.apply(cluster, manifests(cluster.namespace)))
    hint = f"namespace {cluster.namespace} is ready: windtunnel submit FILE --wait"
    return Installed(lines, [hint], cluster.namespace)


def as_manifests(options: InstallOptions) -> list[dict[str, Any]]:
    """Return the objects for a namespace; see `Installer`."""
    return manifests(kubernetes.namespace(options.namespace))
