"""What the API tells of a pod: how far it is, and why it will never be further."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_NO_IMAGE = frozenset({"InvalidImageName", "ErrImageNeverPull"})
_NO_IMAGE_YET = frozenset({"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"})
_NO_CONTAINER_YET = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PostStartHookError"}
)
_NOT_STARTED = frozenset({"StartError", "ContainerCannotRun"})
_MISSING = ("not found", "no such file or directory")
_DEFINITIVE = ("not found", "does not exist", "unauthorized", "denied", "forbidden", "invalid reference")
_SCHEDULER = "default-scheduler"
SEAL, FETCHER, COLLECTOR = "windtunnel-seal", "windtunnel-inputs", "windtunnel-collector"
OWN_CONTAINERS = (SEAL, FETCHER, COLLECTOR)
"""What a step's pod has beside the step."""
_BEFORE = {
    SEAL: ("not_sealed", "cannot be sealed in this cluster"),
    FETCHER: ("input_unavailable", "could not get its inputs"),
}
"""What runs before a step in its pod: the code, and the words, of its failure."""
_DISRUPTIONS = {
    "EvictionByEvictionAPI": "was evicted",
    "PreemptionByScheduler": "was preempted",
    "DeletionByTaintManager": "was evicted by a taint",
    "TerminationByKubelet": "was evicted by its node",
    "DeletionByPodGC": "lost its node",
}


@dataclass(frozen=True)
class Trouble:
    """Why a pod does not get on, in words that follow its step's name.

    Attributes:
        code: A stable word for machines.
        words: For people.
        is_transient: Whether it may yet go away by itself.
        container: Whose fault it is, if a container's.
    """

    code: str
    words: str
    is_transient: bool = False
    container: str | None = None


@dataclass(frozen=True)
class View:
    """An object as the API told it last.

    Attributes:
        data: The object; empty if nothing was told yet.
        is_removed: Whether it is there no more.
    """

    data: Mapping[str, Any] = field(default_factory=dict)
    is_removed: bool = False

    @property
    def name(self) -> str:
        """Its name; empty if nothing was told yet."""
        return str(self.data.get("metadata", {}).get("name") or "")

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        return self.data.get("metadata", {}).get("labels") or {}

    @property
    def is_ending(self) -> bool:
        """Whether somebody has it deleted."""
        return self.is_removed or "deletionTimestamp" in self.data.get("metadata", {})


@dataclass(frozen=True)
class PodView(View):
    """A pod as the API told it last."""

    @property
    def status(self) -> Mapping[str, Any]:
        """Its status."""
        return self.data.get("status") or {}

    @property
    def node(self) -> str | None:
        """Its node's name, once it has one."""
        name = self.data.get("spec", {}).get("nodeName")
        return str(name) if name else None

    @property
    def ip(self) -> str:
        """Its address, once it has one."""
        return str(self.status.get("podIP") or "")

    def container(self, name: str) -> Mapping[str, Any]:
        """Return a container's status; empty if it has none yet."""
        found = [*(self.status.get("containerStatuses") or ()), *(self.status.get("initContainerStatuses") or ())]
        return next((each for each in found if each["name"] == name), {})

    def is_running(self, name: str) -> bool:
        """Tell whether a container runs."""
        return "running" in (self.container(name).get("state") or {})

    def terminated(self, name: str) -> Mapping[str, Any] | None:
        """Return how a container ended, the first time if it was started again; None if it has not."""
        status = self.container(name)
        if status.get("restartCount"):
            return dict((status.get("lastState") or {}).get("terminated") or {"exitCode": 0, "reason": "Restarted"})
        return (status.get("state") or {}).get("terminated")

    def conditions(self) -> Mapping[str, Mapping[str, Any]]:
        """Return its conditions by type."""
        return {each["type"]: each for each in self.status.get("conditions") or ()}

    @property
    def gates(self) -> list[str]:
        """The names of what holds it back from being scheduled, such as a queue."""
        return [str(gate["name"]) for gate in self.data.get("spec", {}).get("schedulingGates") or ()]

    @property
    def unseen_by(self) -> str:
        """The name of the scheduler that has not looked at it yet, if it is another than the cluster's own."""
        name = str(self.data.get("spec", {}).get("schedulerName") or _SCHEDULER)
        is_unseen = self.node is None and not self.gates and "PodScheduled" not in self.conditions()
        return name if is_unseen and name != _SCHEDULER else ""

    @property
    def is_being_made(self) -> bool:
        """Whether its node makes its volumes and its network, before it looks for images."""
        ready = self.conditions().get("PodReadyToStartContainers", {})
        return self.node is not None and self.status.get("phase") == "Pending" and ready.get("status") == "False"

    def disruption(self) -> Trouble | None:
        """Return who takes it away, if somebody does."""
        condition = self.conditions().get("DisruptionTarget", {})
        if condition.get("status") == "True":
            reason = str(condition.get("reason"))
            words = _DISRUPTIONS.get(reason, f"was disrupted ({reason})")
            return Trouble("evicted", f"{words}: {condition.get('message')}")
        if self.status.get("phase") == "Failed" and self.status.get("reason"):
            words = "was evicted" if self.status["reason"] == "Evicted" else f"was ended ({self.status['reason']})"
            return Trouble("evicted", f"{words}: {self.status.get('message', '')}".rstrip(": "))
        return Trouble("removed", "was deleted by somebody") if self.is_ending else None

    def trouble(self) -> Trouble | None:
        """Return why a pod that is still to start does not, or None."""
        if found := self.disruption():
            return found
        scheduled = self.conditions().get("PodScheduled", {})
        if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
            return Trouble("unschedulable", f"cannot be scheduled: {scheduled.get('message')}", is_transient=True)
        containers = [
            *(self.status.get("initContainerStatuses") or ()),
            *(self.status.get("containerStatuses") or ()),
        ]
        troubles = (_container_trouble(each) for each in containers)
        before = (_before_trouble(each) for each in self.status.get("initContainerStatuses") or ())
        return next((found for found in (*troubles, *before) if found), None)


def _container_trouble(status: Mapping[str, Any]) -> Trouble | None:
    state, name = status.get("state") or {}, str(status["name"])
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    reason, message = str(waiting.get("reason")), str(waiting.get("message") or "")
    if reason in _NO_IMAGE or reason in _NO_IMAGE_YET:
        is_transient = reason == "ErrImagePull" and not any(word in message for word in _DEFINITIVE)
        return Trouble(
            "image_pull",
            f"has no image {status['image']}: {message or reason}",
            is_transient=is_transient,
            container=name,
        )
    if reason in _NO_CONTAINER_YET:
        return _start_trouble(message, name) or Trouble(
            "container_failed", f"has no container: {message}", is_transient=True, container=name
        )
    if ended.get("reason") in _NOT_STARTED:
        text = str(ended.get("message") or ended["reason"])
        return _start_trouble(text, name) or Trouble(
            "container_failed", f"could not be started: {text}", container=name
        )
    return None


def _before_trouble(status: Mapping[str, Any]) -> Trouble | None:
    """Return why a container that runs to its end before the step did not do what it was for."""
    ended = (status.get("state") or {}).get("terminated") or {}
    if status["name"] not in _BEFORE or not ended.get("exitCode"):
        return None
    code, words = _BEFORE[str(status["name"])]
    return Trouble(code, f"{words}: {str(ended.get('message') or '').strip()}")


def _start_trouble(message: str, name: str) -> Trouble | None:
    """Return what is wrong with a command, from the runtime's words."""
    program, _, rest = message.rpartition("exec: ")[2].partition(": ")
    program = program.strip('"')
    if "exec: " not in message:
        return None
    if any(word in rest for word in _MISSING):
        return Trouble("command_not_found", f"command not found: {program}", container=name)
    if "permission denied" in rest:
        return Trouble("command_not_runnable", f"cannot run {program}: permission denied", container=name)
    return None


def moment(text: str | None) -> float | None:
    """Return an API's time in seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp() if text else None
