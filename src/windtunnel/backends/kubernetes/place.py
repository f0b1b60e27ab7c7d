"""Where a run's objects are made, and what all who make them have to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from windtunnel.backends.agent.places import PORT, token_for
from windtunnel.backends.kubernetes.calls import Cluster
from windtunnel.backends.kubernetes.objects import Naming
from windtunnel.backends.kubernetes.pod_maker import PodMaker
from windtunnel.backends.kubernetes.watcher import Watcher
from windtunnel.plan import Plan
from windtunnel.run.folder import RunFolder


@dataclass(frozen=True)
class Environment:
    """A step's Python packages.

    Attributes:
        name: How the hub calls their archive.
        path: The ``PATH`` of the step's image.
        architecture: What they were built for, if that is known.
    """

    name: str
    path: str
    architecture: str | None


@dataclass(frozen=True)
class Place:
    """Where a run's objects are made.

    Attributes:
        cluster: The cluster.
        naming: How they are called.
        plan: What the run does.
        key: The run's key, of which each pod gets its tokens.
        runner: The image of collectors.
        watcher: Tells of pods.
        folder: The run's folder.
        zone_of: Returns a node's zone, or None.
        addresses: The Services of the run so far, with their addresses.
        job_pods: Makes the pods of jobs.
    """

    cluster: Cluster
    naming: Naming
    plan: Plan
    key: bytes
    runner: str
    watcher: Watcher
    folder: RunFolder
    zone_of: Callable[[str], str | None]
    addresses: dict[str, str]
    job_pods: PodMaker

    @property
    def hub(self) -> str:
        """The URL of the hub."""
        return f"http://{self.naming.home}:{PORT}"

    def input(self, name: str) -> tuple[str, str]:
        """Return where the hub has an input, and the token for it."""
        return f"{self.hub}/inputs/{name}", self.token(f"/inputs/{name}")

    def collect(self, pod: str) -> tuple[str, str, str, str]:
        """Return what a pod's collector has to know: where it sends what to, and the tokens for it."""
        return self.hub, self.token(f"/results/{pod}"), self.token(f"/usage/{pod}"), pod

    def token(self, path: str) -> str:
        """Return the token for a path of the hub."""
        return token_for(self.key, path)
