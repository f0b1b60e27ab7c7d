"""How the pods of a run's jobs come to be: the driver makes them, unless an engine does, to show them as its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from windtunnel.backends.kubernetes.manifests import ApiCall, Manifest, arguments
from windtunnel.backends.kubernetes.run_resources import RunResources
from windtunnel.backends.unit import Unit


@dataclass(frozen=True)
class PodOrder:
    """A pod that is to be made.

    Attributes:
        unit: The unit whose command it runs.
        manifest: The pod as the driver makes it.
        arguments: Returns, for the pod's name, the words that the pod's own containers need and that only the driver
            knows, such as tokens: by the container's name.
        resources: What the run has.
    """

    unit: Unit
    manifest: Manifest
    arguments: Callable[[str], Mapping[str, Sequence[object]]]
    resources: RunResources

    def hand_over(self, pod: str) -> None:
        """Make the Secret that a pod takes its arguments from, which is named after the pod as the driver makes it.

        Args:
            pod: The name that the pod has.
        """
        name, step = str(self.manifest["metadata"]["name"]), self.unit.step.name
        made = arguments(self.resources.naming, name, step, self.arguments(pod))
        self.resources.create(made, "what its collector has to know", step)


@dataclass(frozen=True)
class MadePod:
    """A pod that was made.

    Attributes:
        name: The pod's name.
        container: The name of the step's container in it.
        admitted: What the API made of the manifest; None where that was not ours.
    """

    name: str
    container: str
    admitted: Manifest | None = None


class PodMaker(Protocol):
    """Makes pods, and knows what is different of those that it has made."""

    @property
    def owner(self) -> Mapping[str, Any] | None:
        """An owner reference: what all of the run goes with, if it goes with anything."""
        ...

    @property
    def last_calls(self) -> Sequence[ApiCall]:
        """Calls of the API by which others hear that the driver is lost."""
        ...

    @property
    def is_ahead(self) -> bool:
        """Whether pods are described ahead of the run."""
        ...

    @property
    def least_grace(self) -> float:
        """How many seconds a pod needs at least to end in order."""
        ...

    @property
    def removes_pods(self) -> bool:
        """Whether pods that have ended are for another to remove, who still looks at them."""
        ...

    @property
    def removal_seconds(self) -> float:
        """How long before the run is told of its end a pod that has not started may be taken away."""
        ...

    def make(self, order: PodOrder) -> MadePod:
        """Make a pod, or have one that was made for the order begin (PlatformError)."""
        ...

    def strip(self, output: bytes) -> bytes:
        """Return the last of a container's output without what is not the step's own."""
        ...

    def not_found(self, status: int | None, output: str) -> bool:
        """Tell by a command's exit status and the last of its output whether there is no such command."""
        ...

    def is_silenced(self, status: int) -> bool:
        """Tell by a container's exit status whether what has to tell its pod of its end cannot do so."""
        ...


@dataclass(frozen=True)
class DriverPods:
    """The driver makes the pods, and removes them.

    Attributes:
        owner: The driver's own pod as an owner reference, if it runs in one.
    """

    owner: Manifest | None = None
    last_calls = ()
    is_ahead = False
    least_grace = 1.0
    """Zero would take the object away before its containers have ended."""
    removes_pods = False
    removal_seconds = 0.0

    def make(self, order: PodOrder) -> MadePod:
        """Create the pod (PlatformError)."""
        name, step = str(order.manifest["metadata"]["name"]), order.unit.step.name
        order.hand_over(name)
        made = order.resources.create(order.manifest, "its pod", step)
        return MadePod(name, step, made)

    def strip(self, output: bytes) -> bytes:
        """Return the output: all of it is the step's."""
        return output

    def not_found(self, _status: int | None, _output: str) -> bool:
        """Tell that a container that was started has a command."""
        return False

    def is_silenced(self, _status: int) -> bool:
        """Tell that the kubelet sees the end of a container."""
        return False


DRIVER_PODS = DriverPods()
