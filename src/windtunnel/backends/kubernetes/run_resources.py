"""What a run has on a cluster, and how more of it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from windtunnel.backends.agent.places import PORT, token_for
from windtunnel.backends.base import RunContext
from windtunnel.backends.kubernetes.agent import Agent
from windtunnel.backends.kubernetes.api import Cluster, map_errors
from windtunnel.backends.kubernetes.naming import Naming
from windtunnel.backends.kubernetes.results import Results
from windtunnel.backends.kubernetes.watcher import Watcher


@dataclass
class RunResources:
    """What a run has on a cluster.

    Attributes:
        context: The run.
        cluster: The cluster.
        naming: How the run's objects are called.
        key: The run's key, of which each pod gets its tokens.
        runner: The image of collectors.
        watcher: Tells of pods.
        agent: Asks, and copies, from within the cluster.
        results: What pods have sent.
        check: Raises what ends the run; called while something is waited for.
        addresses: The run's Services so far, with their addresses.
        created: How many objects were made beside the warden's.
    """

    context: RunContext
    cluster: Cluster
    naming: Naming
    key: bytes
    runner: str
    watcher: Watcher
    agent: Agent
    results: Results
    check: Callable[[], None]
    addresses: dict[str, str] = field(default_factory=dict)
    created: int = 0

    def create(self, manifest: Mapping[str, Any], what: str, step: str | None = None) -> Any:
        """Create an object, count it and return it (PlatformError)."""
        with map_errors(what, step):
            made = self.cluster.create(manifest)
        self.created += 1
        return made

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
