"""The kubernetes backend: each step is a pod, owned by a Job that ends with its driver."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from windtunnel.backends import BACKENDS
from windtunnel.backends.base import RunContext, warden_seconds
from windtunnel.backends.kubernetes.secret_objects import Secrecy
from windtunnel.backends.kubernetes.settings import lease_seconds, named_namespace
from windtunnel.backends.labels import RunLabels
from windtunnel.backends.session import Session
from windtunnel.errors import PlatformError, Unsupported, UsageError
from windtunnel.extras import missing_extra
from windtunnel.plan import Plan, Service, Step
from windtunnel.secrets import find_in_command

if TYPE_CHECKING:
    from windtunnel.backends.kubernetes.pod_maker import PodMaker
    from windtunnel.backends.kubernetes.resources import KubernetesResources
    from windtunnel.backends.preview import Document, Draft

LEAST_VERSION = (1, 29)
"""The first that has native sidecars without asking for them."""
ASK_SECONDS = 5.0
_MOST_FILES = 900_000
"""A ConfigMap may have 1 MiB in all."""


class KubernetesBackend:
    """Runs steps as pods of the cluster that the kubeconfig's current context names."""

    name = "kubernetes"
    traits = BACKENDS[name]

    def __init__(self, job_pods: PodMaker | None = None) -> None:
        """Take what makes the pods of jobs, if the driver does not."""
        self._job_pods = job_pods

    def available(self) -> str | None:
        """Return why pods cannot be run, or None."""
        if reason := missing_extra(self.name, self.traits.needs):
            return reason
        from windtunnel.backends.kubernetes.api import Refused, connect

        try:
            cluster = connect()
            with closing(cluster.api):
                version = cluster.ask("GET", "/version", timeout=ASK_SECONDS)
        except (PlatformError, UsageError) as error:
            return error.message
        except (Refused, OSError) as error:
            return f"no answer from the cluster {cluster.context}: {error}"
        if (int(version["major"]), int(version["minor"].rstrip("+"))) < LEAST_VERSION:
            return f"needs Kubernetes 1.29 or newer; {cluster.context} has {version['gitVersion']}"
        return None

    def check(self, plan: Plan) -> list[str]:
        """Refuse files that a ConfigMap cannot hold, and what does not go with a client's pod."""
        lease_seconds()
        named_namespace()
        secrecy = Secrecy.of(plan)
        for step in plan.steps:
            _check_step(step, secrecy)
        return []

    def preview(self, draft: Draft) -> Iterator[Document]:
        """Yield the manifests of what would be made."""
        from windtunnel.backends.kubernetes.preview import preview

        return preview(draft)

    def resources(self) -> KubernetesResources | None:
        """Return what runs have in the configured namespace, if a cluster is configured (PlatformError)."""
        if missing_extra(self.name, self.traits.needs):
            return None
        from windtunnel.backends.kubernetes.api import connect
        from windtunnel.backends.kubernetes.kubeconfig import is_configured
        from windtunnel.backends.kubernetes.resources import KubernetesResources

        return KubernetesResources(connect()) if is_configured() else None

    def open(self, context: RunContext) -> Session:
        """Make the warden of a run, which will own all of it."""
        from windtunnel.backends.kubernetes.api import connect
        from windtunnel.backends.kubernetes.driver_pod import driver_pod
        from windtunnel.backends.kubernetes.platform import KubernetesPlatform
        from windtunnel.backends.kubernetes.pod_maker import DriverPods

        cluster = connect()
        seconds = warden_seconds(context.plan, context.control.timeout)
        labels = RunLabels(context.folder.run_id, context.plan, time.time() + seconds)
        job_pods = self._job_pods or DriverPods(driver_pod(cluster))
        return Session(context, KubernetesPlatform(context, cluster, labels, seconds, job_pods))


def _check_step(step: Step, secrecy: Secrecy) -> None:
    name = step.name
    if sum(len(text.encode()) for text in step.program.files.values()) > _MOST_FILES:
        raise Unsupported(
            f"{name}: its files have more than 900 kB, too much for a ConfigMap; use [[inputs]]", step=name
        )
    if isinstance(step, Service) and step.placement == "same-pod":
        if step.ready.probe.kind == "log":
            raise Unsupported(
                f"{name}: in its client's pod Kubernetes asks whether it is ready, and that cannot read logs;"
                " use http, tcp or exec",
                step=name,
            )
        if step.replicas > 1:
            raise Unsupported(f"{name}: {step.replicas} replicas do not go with same-pod", step=name)
        _check_secrets(step, secrecy)


def _check_secrets(step: Service, secrecy: Secrecy) -> None:
    """Refuse secrets in what Kubernetes asks or runs by itself: it takes them from the pod's description alone."""
    probe = step.ready.probe
    for key, words in (("ready", [*probe.command, probe.target]), ("stop", step.stop or ())):
        if any(find_in_command(words)) or any(map(secrecy.holds, words)):
            raise Unsupported(
                f"{step.name}.{key}: a secret in it would stand in the description of its client's pod; give it as a"
                " variable, and have a script of the image, or sh -c, read that",
                step=step.name,
            )
