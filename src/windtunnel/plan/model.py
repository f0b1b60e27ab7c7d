"""The plan itself: a frozen, checked DAG of steps. Plans with equal content are equal, and their JSON is stable."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import TopologicalSorter
from types import MappingProxyType
from typing import Any

from windtunnel.errors import PlanError
from windtunnel.plan.checks import check_needs, check_references
from windtunnel.plan.steps import Gang, Job, Service, Step

PLAN_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """A file that is fetched once, before anything starts, and put into each step's folder."""

    src: str
    path: str
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Target:
    """What runs take turns on, by its name; a run waits for its turn at most `within` seconds."""

    name: str
    within: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that a run does. `timeout` is in seconds and leaves out teardown and the wait for `target`.

    Raises:
        PlanError: A name is given twice, a need is unknown, needs form a cycle, or a step
            uses a service that does not exist.
    """

    benchmark: str
    strategy: str
    timeout: float
    steps: tuple[Step, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[InputFile, ...] = ()
    target: Target | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", MappingProxyType(dict(self.labels)))
        check_needs(self)
        for step in self.steps:
            check_references(self, step)

    def step(self, name: str) -> Step:
        """Return the step called `name` (KeyError if there is none)."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Step]:
        return {step.name: step for step in self.steps}

    def order(self) -> tuple[Step, ...]:
        """Return the steps so that each comes after all it needs; else as they were given."""
        return self._order

    @cached_property
    def _order(self) -> tuple[Step, ...]:
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
        if not wanted:
            return ()
        return tuple(s for s in self.order() if isinstance(s, Service) and s.name in wanted)

    def all_needs(self, name: str) -> set[str]:
        """Return the names of all that the step called `name` needs, also indirectly."""
        needed: set[str] = set()
        waiting = [name]
        while waiting:
            needs = set(self.step(waiting.pop()).needs) - needed
            needed |= needs
            waiting += needs
        return needed

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
        kinds: dict[str, type[Step]] = {"Service": Service, "Gang": Gang, "Job": Job}
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
