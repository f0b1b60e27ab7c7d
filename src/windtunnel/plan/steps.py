"""The steps of a plan: services and jobs, what they run, and how they are asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

ProbeKind = Literal["http", "tcp", "exec", "log"]
Reduce = Literal["median", "mean", "max", "sum", "last"]
Isolation = Literal["open", "sealed"]
Placement = Literal["apart", "same-pod", "any", "spread", "packed"]
"""Where a service is: away from its client's node, in its client's pod, or anywhere; of a gang, whether its members
are on a node each or all on one."""
Implementation = Literal["openmpi", "mpich", "intel"]


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One question to a service; `target` is a path, a regular expression or nothing."""

    kind: ProbeKind
    target: str = ""
    command: tuple[str, ...] = ()
    port: int | None = None


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """The probe that has to succeed, `within` so many seconds."""

    probe: Probe
    within: float


@dataclass(frozen=True, kw_only=True)
class Liveness:
    """The probe asked `every` so many seconds; `failures` misses in a row are a death."""

    probe: Probe
    every: float
    timeout: float
    failures: int


@dataclass(frozen=True, kw_only=True)
class Program:
    """What a step runs, and on which nodes. CPU is in cores, memory in bytes, GPUs are whole ones.

    Attributes:
        shm: The size of its ``/dev/shm``, in bytes; None for what the platform gives.
        pod_labels: Labels of its pods beside Windtunnel's own, for schedulers and queues.
        pod_annotations: The same as annotations.
        scheduler_name: What schedules its pods, if it is not the cluster's default.
        isolation: ``sealed``: it reaches the run's other steps and nothing else, and cannot change its inputs.
        trace: Whether its system calls are recorded.
    """

    command: tuple[str, ...]
    image: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    cpu: float | None = None
    memory: float | None = None
    gpu: int | None = None
    shm: float | None = None
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    pod_annotations: Mapping[str, str] = field(default_factory=dict)
    scheduler_name: str | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, str | int], ...] = ()
    isolation: Isolation = "open"
    trace: bool = False
    requirements: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("env", "files", "node_selector", "pod_labels", "pod_annotations"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def texts(self) -> Iterator[str]:
        """Yield every string in which names are substituted."""
        yield from self.command
        yield from self.env.values()
        yield from self.files.values()


@dataclass(frozen=True, kw_only=True)
class MetricSpec:
    """Where a metric is found; without pattern and parser, in ``$WINDTUNNEL_METRICS``.

    Attributes:
        share: The smallest difference between two sides that matters, as a share of the value, if that is said.
        absolute: The same as a number in the metric's unit.
        gate: Whether a comparison's verdict depends on it; None if that is not said.
        compare: What of a run's iterations is compared.
    """

    name: str | None
    unit: str | None = None
    better: Literal["higher", "lower"] | None = None
    pattern: str | None = None
    parser: str | None = None
    reduce: Reduce = "median"
    share: float | None = None
    absolute: float | None = None
    gate: bool | None = None
    compare: Literal["median", "mean"] = "median"


@dataclass(frozen=True, kw_only=True)
class Service:
    """A step that is up and ready before its dependants, and stopped after them, always."""

    name: str
    program: Program
    ready: Readiness
    needs: tuple[str, ...] = ()
    port: int | None = None
    live: Liveness | None = None
    stop: tuple[str, ...] | None = None
    grace: float = 10.0
    replicas: int = 1
    placement: Placement = "apart"

    def texts(self) -> Iterator[str]:
        """Yield every string in which names are substituted."""
        yield from self.program.texts()
        yield from self.ready.probe.command
        yield from self.live.probe.command if self.live else ()
        yield from self.stop or ()


@dataclass(frozen=True, kw_only=True)
class Gang(Service):
    """N workers at once, or none: a service whose replicas are addressed one by one, and that a launcher works on.

    Attributes:
        slots: How many ranks each of them takes.
        wait: For how many seconds one that cannot be placed whole is tried again.
    """

    slots: int = 1
    wait: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Launcher:
    """How a job runs its command: by ``mpirun``, on the members of a gang.

    Attributes:
        implementation: Whose ``mpirun`` it is.
        gang: The gang's name.
        ranks: How many ranks run the command.
        options: What the user adds to the options of ``mpirun``.
    """

    implementation: Implementation
    gang: str
    ranks: int
    options: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Job:
    """A step that runs to its end, once an iteration; the first `warmup` ones do not count.

    Attributes:
        max_failures: The share of an iteration's requests that may fail, from 0 to 1.
        launcher: What runs its command, if that is not started as it is.
        size: How many members run it at once, each with a rank; one may be all. None if it has no ranks.
        placement: Where these are: anywhere, on a node each (``spread``), or all on one (``packed``).
        wait: For how many seconds members that cannot be placed all are tried again.
    """

    name: str
    program: Program
    needs: tuple[str, ...] = ()
    warmup: int = 0
    repeats: int = 1
    fresh: bool = False
    metrics: tuple[MetricSpec, ...] = ()
    max_failures: float = 0.01
    artifacts: tuple[str, ...] = ("**",)
    launcher: Launcher | None = None
    size: int | None = None
    placement: Placement = "any"
    wait: float = 0.0

    def title(self, iteration: int) -> str:
        """Return what an iteration, counted from 1 with warm-up, is called for people."""
        if iteration <= self.warmup:
            return f"warm-up {iteration}/{self.warmup}"
        return f"benchmark {iteration - self.warmup}/{self.repeats}"

    def texts(self) -> Iterator[str]:
        """Yield every string in which names are substituted."""
        yield from self.program.texts()
        yield from self.launcher.options if self.launcher else ()


Step = Service | Job


def members_of(step: Step) -> int:
    """Return how many processes, containers or pods a start of a step is."""
    return step.replicas if isinstance(step, Service) else step.size or 1
