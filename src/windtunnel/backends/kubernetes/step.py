"""A running step of the kubernetes backend: a pod, several replicas of one, or a container beside its client's."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from windtunnel.backends.base import describe_status
from windtunnel.backends.containers import exit_status, signalled
from windtunnel.backends.kubernetes.calls import Cluster
from windtunnel.backends.kubernetes.output import Output, Source
from windtunnel.backends.kubernetes.pod_maker import DRIVER_PODS, PodMaker
from windtunnel.backends.kubernetes.pods import PodView
from windtunnel.backends.output import Changes
from windtunnel.backends.started import End, StartedStep
from windtunnel.plan import Service

OUT_OF_MEMORY = "OOMKilled"
_ENDS_IN_ORDER = (0, signalled(signal.SIGTERM), signalled(signal.SIGKILL))
"""How containers end that are told to."""


@dataclass(eq=False)
class Replica:
    """One container of a step.

    Attributes:
        pod: The pod's name.
        container: The container's name.
        look: Returns the pod as it was told last.
        output: Its output, once it was started.
        client: In one pod with its client: the client's container, which ends the pod by its end.
        maker: What made its pod.
    """

    pod: str
    container: str
    look: Callable[[], PodView]
    output: Output | None = None
    client: str | None = None
    maker: PodMaker = DRIVER_PODS
    died_at: float = field(default=0.0)

    @property
    def view(self) -> PodView:
        """Its pod as it was told last."""
        return self.look()

    def follow(self, cluster: Cluster, path: Path, changes: Changes) -> Output:
        """Write its output to a file from now on; it was started."""

        def is_over() -> bool:
            return self.view.is_removed or self.view.terminated(self.container) is not None

        source = Source(self.pod, self.container, self.maker.strip)
        self.output = Output(cluster, source, path, is_over, changes)
        return self.output

    @property
    def is_away(self) -> bool:
        """Whether nothing of its pod is left that this run has to remove."""
        view = self.view
        return view.is_removed or (self.maker.removes_pods and view.status.get("phase") in {"Succeeded", "Failed"})

    @property
    def is_orphaned(self) -> bool:
        """Whether it has ended, and its pod is not told."""
        ended = self.view.terminated(self.container)
        return ended is not None and self.maker.is_silenced(int(ended.get("exitCode", 0)))

    @property
    def container_id(self) -> str:
        """Its container's id, once it has one."""
        return str(self.view.container(self.container).get("containerID") or "").rpartition("/")[2]

    @property
    def has_started(self) -> bool:
        """Whether its container runs, or did."""
        return self.view.is_running(self.container) or self.view.terminated(self.container) is not None

    @property
    def has_terminated(self) -> bool:
        """Whether its container has ended, or its pod is gone; in its client's pod not if that ended first."""
        view = self.view
        if self.client and self.has_client_ended and not self.was_restarted:
            return self._ended_first(self.client)
        ended = view.is_removed or view.terminated(self.container) is not None or view.status.get("phase") == "Failed"
        if ended:
            self.died_at = self.died_at or time.monotonic()
            if self.output:
                self.output.finish()
        return ended

    @property
    def has_client_ended(self) -> bool:
        """Whether it lives in its client's pod, and the client has ended, so that Kubernetes ends it too."""
        return self.client is not None and self.view.terminated(self.client) is not None

    def _ended_first(self, client: str) -> bool:
        """Tell whether it ended before its client did, and not with it: their times are whole seconds."""
        own, clients = self.view.terminated(self.container), self.view.terminated(client)
        if own is None or clients is None:
            return False
        if own["finishedAt"] == clients["finishedAt"]:
            return bool(clients["exitCode"]) and own["exitCode"] not in _ENDS_IN_ORDER
        return datetime.fromisoformat(own["finishedAt"]) < datetime.fromisoformat(clients["finishedAt"])

    @property
    def was_restarted(self) -> bool:
        """Whether it ended and was started again, as happens to a container beside its client."""
        return bool(self.view.container(self.container).get("restartCount"))

    @property
    def is_doomed(self) -> bool:
        """Whether somebody takes its pod away, though it may still run."""
        return not self.client and self.view.disruption() is not None

    @property
    def has_terminated_well(self) -> bool:
        """Whether its command ran to an end of its own: what is said of its pod then comes from that."""
        ended = self.view.terminated(self.container)
        return ended is not None and ended.get("reason") in {"Completed", "Error", OUT_OF_MEMORY}

    @property
    def is_over(self) -> bool:
        """Whether it has ended, and its output is there."""
        if not self.has_terminated:
            return False
        return self.output is None or not self.output.is_awaited(self.died_at)

    @property
    def status(self) -> int | None:
        """Its exit status, -N for signal N; None while it runs, or if it was taken away before it ended."""
        ended = self.view.terminated(self.container)
        if ended is None or not self.is_over:
            return None
        return exit_status(int(ended.get("exitCode", 0)))

    @property
    def is_out_of_memory(self) -> bool:
        """Whether the kernel ended it for its memory."""
        return (self.view.terminated(self.container) or {}).get("reason") == OUT_OF_MEMORY


@dataclass(eq=False, kw_only=True)
class RunningStep(StartedStep):
    """A step's containers.

    Attributes:
        replicas: The replicas, one container each.
        memory: Their limit in bytes, if they have one.
        is_reached: Whether its Service was seen to lead to it.
    """

    replicas: list[Replica] = field(default_factory=list)
    memory: float | None = None
    is_reached: bool = False

    @property
    def status(self) -> int | None:
        """Its exit status, -N for signal N: that of the first replica that ended; None while all run."""
        ended = self.ended
        return ended.status if ended else None

    @property
    def has_ended(self) -> bool:
        """Whether one of its containers has ended, or is bound to."""
        return self.ended is not None or any(replica.is_doomed for replica in self.replicas)

    @property
    def is_gone(self) -> bool:
        """Whether none of its containers runs any more, and their output is there."""
        return all(replica.is_over for replica in self.replicas)

    @property
    def is_needed(self) -> bool:
        """Whether it is to live on; one that shares its client's pod, no longer than that does."""
        return super().is_needed and not any(replica.has_client_ended for replica in self.replicas)

    @property
    def is_in_client(self) -> bool:
        """Whether it lives in its client's pod."""
        return isinstance(self.step, Service) and self.step.placement == "same-pod"

    @property
    def ended(self) -> Replica | None:
        """The replica that ended first."""
        over = [replica for replica in self.replicas if replica.is_over]
        return min(over, key=lambda replica: replica.died_at, default=None)

    def end(self) -> End:
        """Return how it ended."""
        ended = self.ended or next((replica for replica in self.replicas if replica.is_doomed), None)
        which = f"'s replica {ended.pod} " if ended and len(self.replicas) > 1 else ""
        if ended and ended.is_out_of_memory:
            limit = f" of {self.memory / 2**20:g} MiB" if self.memory else ""
            return End(f"{which}ran out of its memory{limit}", "oom")
        if ended and ended.was_restarted:
            return End(f"{which}{describe_status(self.status or 0)} and was started again")
        if ended and (disruption := ended.view.disruption()) and not ended.client:
            return End(f"{which}{disruption.words}", disruption.code)
        return End(f"{which}{describe_status(self.status or 0)}")
