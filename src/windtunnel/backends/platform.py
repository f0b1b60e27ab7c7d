"""A platform runs units and tells how they are. What a benchmark means by that is the session's, written once.

A platform makes tasks of units, runs a command beside one, ends them, and takes everything away. It
knows no readiness, no liveness, no iterations and no verdicts. Powers that only some platforms have are
types of their own (`SharesPod`, `HasGangs`, `Routes`, `ReportsUsage`, `Metered`, `Rehearsed`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol, runtime_checkable

from windtunnel.backends.base import Address, Launch
from windtunnel.backends.network_probe import Answer
from windtunnel.backends.unit import Environment, Site, Unit
from windtunnel.backends.usage import Reading
from windtunnel.errors import PlatformError
from windtunnel.plan import InputFile, Job, Probe, Service

Fetch = Callable[[InputFile], tuple[Path, str]]
"""Fetches and verifies an input; returns where the run's own copy of it is, and its SHA-256."""


@dataclass(frozen=True)
class State:
    """How far a task is.

    Attributes:
        phase: ``ended``: what it is needed for has ended, or is bound to. ``gone``: nothing of it runs any more, and
            its output is there.
        status: Its command's exit status, -N for signal N; None while it runs, or if that is not known. A command
            that went to the background has one while its phase is ``running``.
        at: When it ended, by the monotonic clock.
        reason: Why it ended, where its status does not tell: a cause's code, such as ``oom`` or ``removed``.
        words: The same for people; they follow its step's name. Empty where the status says it.
        problem: The same as a clause of its own, such as ``its pod was deleted by somebody``; empty if `words` do.
        doubt: What makes doubtful what is measured with it, such as a worker that was killed; empty if nothing does.
        is_released: Whether nobody needs it any more, such as a container whose client has ended.
    """

    phase: Literal["running", "ended", "gone"] = "running"
    status: int | None = None
    at: float = 0.0
    reason: str | None = None
    words: str = ""
    problem: str = ""
    doubt: str = ""
    is_released: bool = False


@dataclass(frozen=True)
class Collected:
    """What came of fetching what a task wrote.

    Attributes:
        lack: What of it is missing, in words; empty if nothing is.
        others: What is neither a file nor a folder, relative to the folder with the results.
    """

    lack: str = ""
    others: frozenset[PurePosixPath] = field(default=frozenset())


class Task(Protocol):
    """A unit that was started: a process, a container or a pod."""

    unit: Unit
    log: Path

    @property
    def name(self) -> str:
        """What the platform calls it."""
        ...

    @property
    def address(self) -> Address:
        """Where it is asked."""
        ...

    @property
    def state(self) -> State:
        """How far it is, as it was heard last; looking changes nothing."""
        ...

    def reach(self, kind: str, port: int, target: str, seconds: float) -> Answer:
        """Ask it over the network once (``http`` or ``tcp``).

        Raises:
            PlatformError: The platform is lost, or nothing there can ask.
        """
        ...

    def run(self, argv: Sequence[str], seconds: float) -> Answer:
        """Run a command beside it, such as a probe; a yes is exit status 0.

        Raises:
            PlatformError: The command does not exist, or the platform is lost.
        """
        ...

    def collect(self, into: Path) -> Collected:
        """Copy what it wrote to a folder: ``out/``, ``metrics.jsonl``, ``strace.txt``.

        Raises:
            PlatformError: It cannot be fetched, or not be written here.
        """
        ...

    def remove(self) -> None:
        """Take it away, with its folders; again is harmless."""
        ...


class Platform(Protocol):
    """One run's foothold on a platform; its warden stands when this exists.

    Attributes:
        kind: What a task is there, such as ``container``.
        latency: Seconds that may pass until the end of a task is heard.
    """

    kind: str
    latency: float

    def check(self) -> None:
        """Raise PlatformError if what the run stands on is lost."""
        ...

    def share(self, inputs: Sequence[InputFile], fetch: Fetch) -> None:
        """Have all units find these inputs in their working folders, as they are now.

        Raises:
            PlatformError: One cannot be had, or is not what it should be.
            TimedOut, Cancelled: As the run's control says.
        """
        ...

    def install(self, step: Service | Job) -> tuple[dict[str, str], bool]:
        """Install a step's Python packages; return them by name, and whether they were there already.

        Raises:
            PlatformError: They cannot be installed (``requirements_failed``).
            TimedOut, Cancelled: As the run's control says.
        """
        ...

    def environment_of(self, step: Service | Job) -> Environment | None:
        """Return the Python environment of a step that has one."""
        ...

    def site(self, launch: Launch[Any]) -> Site:
        """Return where a start of a step will be: its address and its folders, before anything is made.

        Raises:
            PlatformError: Its address cannot be had (``port_taken``).
        """
        ...

    def start(self, units: Sequence[Unit]) -> Sequence[Task]:
        """Start units, all of them or none: one job, or the replicas of a service.

        Raises:
            PlatformError: One cannot be started.
        """
        ...

    def stop(self, tasks: Sequence[Task], grace: float) -> None:
        """End what still runs of tasks: SIGTERM, and SIGKILL after `grace` seconds, or when somebody is in a hurry."""
        ...

    def facts(self) -> dict[str, Any]:
        """Return what the platform says of itself, such as versions and images, for ``environment.json``."""
        ...

    def left(self) -> list[str]:
        """Return by name what of this run is still there; once this is closed, what it stood on too."""
        ...

    def created(self) -> int:
        """Return how many resources this run has made so far."""
        ...

    def close(self) -> None:
        """Take everything of the run away, the warden last; again is harmless."""
        ...


@runtime_checkable
class SharesPod(Protocol):
    """A platform on which a service may live in its client's pod, and starts with it."""

    def start_with(self, unit: Unit, beside: Sequence[Unit]) -> tuple[Task, Sequence[Task]]:
        """Start a job's unit, and before it those of services that share its pod.

        Returns:
            The job's task, and those of the services, which are ready.
        """
        ...


class NotAgainError(PlatformError):
    """There was no room for all members of a step, and another try cannot be made."""


@dataclass(frozen=True)
class Whereabouts:
    """Where a member of a gang is.

    Attributes:
        address: Where the other members reach it.
        node: The machine that it is on.
    """

    address: str
    node: str


@runtime_checkable
class HasGangs(Protocol):
    """A platform on which the members of a gang reach each other, and a launcher all of them."""

    def whereabouts(self, task: Task) -> Whereabouts:
        """Return where a member is that was started."""
        ...


@runtime_checkable
class Routes(Protocol):
    """A platform on which clients reach a service by another way than its tasks' own addresses."""

    def reach_service(self, address: Address, seconds: float) -> Answer:
        """Ask a service once by the way that its clients take."""
        ...


@runtime_checkable
class ReportsUsage(Protocol):
    """A platform whose tasks' usage is measured where they run, and fetched from there."""

    def read_usage(self) -> None:
        """Write down what tasks that are not stopped have used since the last time."""
        ...


@runtime_checkable
class Metered(Protocol):
    """A task whose usage is read from here."""

    def usage(self) -> Reading | None:
        """Return what it has used since its start; None where that cannot be read, such as after its end."""
        ...


@runtime_checkable
class Rehearsed(Protocol):
    """A task that runs nothing, and so answers probes itself."""

    def answer(self, probe: Probe) -> Answer:
        """Return the answer to a probe."""
        ...
