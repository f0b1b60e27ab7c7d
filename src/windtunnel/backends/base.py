"""What a backend is: where a step runs. The engines know nothing else of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from windtunnel.backends.notifier import Notifier
from windtunnel.backends.resources import Resources
from windtunnel.backends.traits import Traits
from windtunnel.mpi.launch_script import HOSTFILE
from windtunnel.plan import Job, Plan, Service
from windtunnel.run.control import Control
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import Journal
from windtunnel.signals import signal_name
from windtunnel.substitution import address_names, gang_names

if TYPE_CHECKING:
    from windtunnel.backends.preview import Document, Draft
    from windtunnel.backends.session import Session

WARDEN_MARGIN_SECONDS = 60.0


@dataclass(frozen=True)
class Address:
    """Where the other steps reach a service; the port is None if it has none."""

    host: str
    port: int | None

    def values(self, service: str) -> dict[str, str]:
        """Return the names under which `service`'s address is handed over, with their values."""
        names = address_names(service)
        values = {names["host"]: self.host}
        if self.port is not None:
            values |= {names["port"]: str(self.port), names["url"]: f"http://{self.host}:{self.port}"}
        return values


@dataclass(frozen=True)
class RunContext:
    """What a backend needs to know of a run.

    Attributes:
        plan: What is to be done.
        folder: Where results go.
        journal: Where things are told.
        control: Deadline and cancellation; every wait has to ask it.
        base: Folder that the paths in the benchmark file are relative to.
        carried: Where inputs are here that are files of another machine, by their `src`.
    """

    plan: Plan
    folder: RunFolder
    journal: Journal
    control: Control
    base: Path
    carried: Mapping[str, Path] = field(default_factory=dict)

    @cached_property
    def notifier(self) -> Notifier:
        """What the run's threads wait by."""
        return Notifier(self.control)


StepT = TypeVar("StepT", Service, Job)


@dataclass(frozen=True)
class Launch(Generic[StepT]):
    """One start of one step.

    Attributes:
        step: What to start.
        iteration: In which iteration; None for a service that lives through all of them.
        values: Names to substitute and to hand over in the environment.
        installs: Whether what is started is pip, for the step.
    """

    step: StepT
    iteration: int | None
    values: Mapping[str, str]
    installs: bool = False

    def names(self, address: Address, work: PurePath, out: PurePath, metrics: PurePath) -> dict[str, str]:
        """Return all names that the step's strings and its environment know, with their values.

        Args:
            address: The step's own.
            work: Its working folder, as it sees it.
            out: Where it leaves artifacts.
            metrics: Where it writes measurements.
        """
        folders = {"WINDTUNNEL_WORK": work, "WINDTUNNEL_OUT": out, "WINDTUNNEL_METRICS": metrics}
        names = {**self.values, **{name: str(folder) for name, folder in folders.items()}}
        if isinstance(self.step, Service):
            names |= address.values(self.step.name)
            if address.port is not None:
                names["PORT"] = str(address.port)
        elif self.step.launcher and not self.installs:
            launcher = self.step.launcher
            names |= {gang_names(launcher.gang)["hostfile"]: str(work / HOSTFILE), "WORLD_SIZE": str(launcher.ranks)}
        return names

    @property
    def label(self) -> str:
        """What the logs and folders of this start are called."""
        if self.installs:
            return f"{self.step.name}.requirements"
        return self.step.name if self.iteration is None else f"{self.step.name}.{self.iteration}"


def describe_status(status: int) -> str:
    """Return an exit status in words, as `subprocess` counts it (-N for signal N)."""
    return f"exited with status {status}" if status >= 0 else f"was killed by {signal_name(-status)}"


def warden_seconds(plan: Plan, timeout: float) -> float:
    """Return how long a run's warden waits for its end: the timeout, all graces, and a margin."""
    # A stop command and SIGTERM have a grace each.
    graces = sum(2 * step.grace for step in plan.steps if isinstance(step, Service))
    return timeout + graces + WARDEN_MARGIN_SECONDS


def longest_seconds(plan: Plan) -> float:
    """Return how long a run may be there at most: its wait for its target, and all that its warden allows."""
    waits = plan.target.within if plan.target else 0.0
    return waits + warden_seconds(plan, plan.timeout)


class Turn(Protocol):
    """A run's turn on its target, which is made once the run has it.

    Its class takes the run's context and the target, and waits. If the turn is lost later, the run's control
    fails (PlatformError, ``target_lost``).

    Raises:
        PlatformError: The platform cannot be asked.
        TimedOut: The target was not free in time (``target_busy``).
        Cancelled: Somebody asked the run to stop.
    """

    def confirm(self) -> None:
        """Raise PlatformError if the turn is lost: nothing may be started then (``target_lost``)."""
        ...

    def close(self) -> None:
        """Give the turn back, once nothing of the run is left; again is harmless."""
        ...


class Backend(Protocol):
    """A place where steps run.

    Attributes:
        name: Its name in the table of backends.
        traits: What it can do; what a plan asks for beyond that is refused before `check` is asked.
    """

    name: str
    traits: Traits

    def check(self, plan: Plan) -> list[str]:
        """Return notes on what of `plan` is ignored here, beyond what the traits tell; nothing is started.

        Raises:
            Unsupported: It asks for what this backend cannot do, whatever its traits say.
            UsageError: A setting of the backend's own is wrong.
        """
        ...

    def available(self) -> str | None:
        """Return why this backend does not work here, or None if it does."""
        ...

    def preview(self, draft: Draft) -> Iterable[Document]:
        """Return what would be made of a draft's plan, as the platform takes it; the platform is not asked."""
        ...

    def resources(self) -> Resources[Any] | None:
        """Return what runs have on this platform; None if the platform is not here.

        Raises:
            PlatformError: It is here, or is said to be, and cannot be asked.
        """
        ...

    def open(self, context: RunContext) -> Session:
        """Begin a run.

        Raises:
            PlatformError: The platform is not there.
        """
        ...
