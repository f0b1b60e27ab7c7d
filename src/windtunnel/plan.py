"""The plan: a frozen, checked DAG of steps. No I/O, no run id, and no backend's words.

A `Service` is up and ready before its dependants and stopped after them; a `Job` runs to
its end once an iteration. Plans with equal content are equal, and their JSON is stable.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType
from typing import Any, Literal

from windtunnel.errors import PlanError
from windtunnel.substitution import STEP_NAMES, address_names, references
from windtunnel.suggest import suggest

PLAN_VERSION = 1
ProbeKind = Literal["http", "tcp", "exec", "log"]
Reduce = Literal["median", "mean", "max", "sum", "last"]
Isolation = Literal["open", "sealed"]


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
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, str | int], ...] = ()
    isolation: Isolation = "open"
    trace: bool = False
    requirements: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "env", MappingProxyType(dict(self.env)))
        object.__setattr__(self, "node_selector", MappingProxyType(dict(self.node_selector)))
        object.__setattr__(self, "files", MappingProxyType(dict(self.files)))

    def texts(self) -> Iterator[str]:
        """Yield every string in which names are substituted."""
        yield from self.command
        yield from self.env.values()
        yield from self.files.values()


@dataclass(frozen=True, kw_only=True)
class MetricSpec:
    """Where a metric is found; without pattern and parser, in ``$WINDTUNNEL_METRICS``."""

    name: str | None
    unit: str | None = None
    better: Literal["higher", "lower"] | None = None
    pattern: str | None = None
    parser: str | None = None
    reduce: Reduce = "median"


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
    placement: Literal["apart", "same-pod", "any"] = "apart"

    def texts(self) -> Iterator[str]:
        """Yield every string in which names are substituted."""
        yield from self.program.texts()
        yield from self.ready.probe.command
        yield from self.live.probe.command if self.live else ()
        yield from self.stop or ()


@dataclass(frozen=True, kw_only=True)
class Job:
    """A step that runs to its end, once an iteration; the first `warmup` ones do not count.

    `max_failures` is the share of an iteration's requests that may fail, from 0 to 1.
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

    def title(self, iteration: int) -> str:
        """Return what an iteration, counted from 1 with warm-up, is called for people."""
        if iteration <= self.warmup:
            return f"warm-up {iteration}/{self.warmup}"
        return f"benchmark {iteration - self.warmup}/{self.repeats}"

    def texts(self) -> Iterator[str]:
        """Yield every string in which names are substituted."""
        return self.program.texts()


Step = Service | Job


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """A file that is fetched once, before anything starts, and put into each step's folder."""

    src: str
    path: str
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that a run does. `timeout` is in seconds and leaves teardown out.

    Raises:
        PlanError: A name is there twice, a need is unknown, needs form a cycle, or a step
            uses a service that does not exist.
    """

    benchmark: str
    strategy: str
    timeout: float
    steps: tuple[Step, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[InputFile, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", MappingProxyType(dict(self.labels)))
        _check_needs(self)
        for step in self.steps:
            _check_references(self, step)

    def step(self, name: str) -> Step:
        """Return the step called `name` (KeyError if there is none)."""
        return {step.name: step for step in self.steps}[name]

    def order(self) -> tuple[Step, ...]:
        """Return the steps so that each comes after all it needs; else as they were given."""
        sorter = TopologicalSorter({step.name: step.needs for step in self.steps})
        sorter.prepare()
        ordered: list[Step] = []
        while sorter.is_active():
            ready = set(sorter.get_ready())
            ordered += [step for step in self.steps if step.name in ready]
            sorter.done(*ready)
        return tuple(ordered)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The steps that measure, in the order in which they run."""
        return tuple(step for step in self.order() if isinstance(step, Job))

    def services_for(self, job: Job) -> tuple[Service, ...]:
        """Return the services that `job` needs, also indirectly, in starting order."""
        wanted = self.all_needs(job.name)
        return tuple(s for s in self.order() if isinstance(s, Service) and s.name in wanted)

    def all_needs(self, name: str) -> set[str]:
        """Return the names of all that the step called `name` needs, also indirectly."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            needs = set(self.step(waiting.pop()).needs) - found
            found |= needs
            waiting += needs
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON data; each step says its kind."""
        return {"plan_version": PLAN_VERSION, **_plain(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Return the plan that `to_json` made data of.

        Raises:
            PlanError: The data is no plan of this version.
        """
        from pydantic import TypeAdapter, ValidationError

        if data.get("plan_version") != PLAN_VERSION:
            raise PlanError(f"plan_version {data.get('plan_version')!r} is not {PLAN_VERSION}")
        kinds: dict[str, type[Step]] = {"Service": Service, "Job": Job}
        unknown = set(data) - {item.name for item in dataclasses.fields(cls)} - {"plan_version"}
        if unknown:
            raise PlanError(f"not a plan: unknown keys {', '.join(sorted(unknown))}")
        try:
            steps = tuple(
                TypeAdapter(kinds[step["kind"]]).validate_python({k: v for k, v in step.items() if k != "kind"})
                for step in data["steps"]
            )
            inputs = tuple(InputFile(**item) for item in data["inputs"])
            return TypeAdapter(cls).validate_python({**data, "steps": steps, "inputs": inputs})
        except (KeyError, TypeError, ValueError, ValidationError) as error:
            raise PlanError(f"not a plan: {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, (Service, Job)):
        return {"kind": type(value).__name__} | _fields(value)
    if dataclasses.is_dataclass(value):
        return _fields(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _fields(value: Any) -> dict[str, Any]:
    return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}


def _check_needs(plan: Plan) -> None:
    names = [step.name for step in plan.steps]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise PlanError(f"two steps are called {twice[0]!r}", step=twice[0])
    for step in plan.steps:
        for need in step.needs:
            if need not in names:
                raise PlanError(
                    f"step {step.name!r} needs {need!r}, which does not exist{suggest(need, names)}", step=step.name
                )
    try:
        TopologicalSorter({step.name: step.needs for step in plan.steps}).prepare()
    except CycleError as error:
        raise PlanError(f"steps need each other in a circle: {' -> '.join(error.args[1])}") from None


def _check_references(plan: Plan, step: Step) -> None:
    """Refuse a name that looks like Windtunnel's and is not: it would reach the program as text."""
    services = [found for found in map(plan.step, plan.all_needs(step.name)) if isinstance(found, Service)]
    known = set(STEP_NAMES)
    if isinstance(step, Service):
        services.append(step)
        known |= {"PORT"} if step.port is not None else set()
        # A service that outlives iterations is in none of them.
        known -= (
            set() if any(job.fresh and step.name in plan.all_needs(job.name) for job in plan.jobs) else {"ITERATION"}
        )
    for service in services:
        names = address_names(service.name)
        known |= {names["host"]} if service.port is None else set(names.values())
    for name in sorted(set().union(*(references(text) for text in step.texts()))):
        address = name.isupper() and name.rpartition("_")[2] in {"HOST", "PORT", "URL"}
        ours = address or name.startswith("WINDTUNNEL_") or name in {"PORT", "ITERATION"}
        if ours and name not in known and name not in step.program.env:
            raise PlanError(
                f"step {step.name!r} uses ${name}, and no service gives it{suggest(name, known)}"
                f" (for a variable of the program itself write $${name})",
                step=step.name,
                code="unknown_service",
            )
