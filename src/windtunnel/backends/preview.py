"""What a backend would make of a plan, as data; nothing is started, and no platform is asked.

What only a run knows is stood in for, the same each time, and notes tell it. Of a job its first
iteration is shown, with the services that start anew for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from windtunnel.backends.base import Backend, Launch
from windtunnel.backends.containers import choose_port, with_ports
from windtunnel.backends.equipment import Equipment
from windtunnel.backends.labels import DRIVER, EXPIRES
from windtunnel.backends.unit import Environment, Site, Unit, render
from windtunnel.plan import Gang, Job, Plan, Service, Step, members_of
from windtunnel.secrets import Redaction

Document = dict[str, Any]
"""A process, a request or an object, as its platform takes it."""
_STAND_INS = {EXPIRES: "(when the run has to be over)", DRIVER: "(the process that drives the run)"}
SiteOf = Callable[[Launch[Any]], Site]
EnvironmentOf = Callable[[Step], Environment | None]


class Draft:
    """What a backend is given to make a preview of.

    Args:
        plan: The plan.
        redaction: What is secret in it.
        has_gangs: Whether the workers of gangs are started.

    Attributes:
        plan: The plan, in which a port stands for each that is to be any free one.
        run_id: What stands for the run's id.
        notes: What stands for what only a run knows, a sentence each.
    """

    def __init__(self, plan: Plan, redaction: Redaction, *, has_gangs: bool = True) -> None:
        self._redaction, self._has_gangs = redaction, has_gangs
        self.plan = with_ports(plan, plan.benchmark)
        self._equipment = Equipment.stand_in(self.plan, has_gangs=has_gangs)
        self.run_id = f"{plan.benchmark}-preview"
        self.notes: list[str] = []
        for step, ported in zip(plan.steps, self.plan.steps, strict=True):
            if step != ported and isinstance(ported, Service):
                self.notes.append(f"{ported.port} stands for the port of {step.name}, any free one")
        if any(isinstance(step, Gang) for step in plan.steps) and has_gangs:
            self.notes.append("the names of a gang's workers stand for their addresses, and words for the run's keys")
        for job in plan.jobs:
            if job.warmup + job.repeats > 1:
                self.notes.append(f"{job.name} is shown once, and starts {job.warmup + job.repeats} times")

    def starts(self, site: SiteOf, environment: EnvironmentOf) -> Iterator[list[Unit]]:
        """Yield the units of each step's first start, without secrets, in the order of a run.

        Args:
            site: Where a start of a step would be.
            environment: The Python environment of a step that requires packages.
        """
        up: dict[str, str] = {}
        fresh = {each.name for job in self.plan.jobs if job.fresh for each in self.plan.services_for(job)}
        for step in self.plan.order():
            if isinstance(step, Service) and step.name not in fresh:
                yield from self._serve(Launch(step, None, dict(up)), site, environment, up)
            elif isinstance(step, Job):
                first = {"ITERATION": "1", **up}
                for service in self.plan.services_for(step) if step.fresh else ():
                    yield from self._serve(Launch(service, 1, dict(first)), site, environment, first)
                yield self._start(Launch(step, 1, first), site, environment, {})

    def _serve(
        self, launch: Launch[Any], site: SiteOf, environment: EnvironmentOf, up: dict[str, str]
    ) -> Iterator[list[Unit]]:
        """Yield the units of a service that is started; the values that it gives are added to `up`."""
        units = self._start(launch, site, environment, up)
        if self._has_gangs or not isinstance(launch.step, Gang):
            yield units

    def _start(self, launch: Launch[Any], site: SiteOf, environment: EnvironmentOf, up: dict[str, str]) -> list[Unit]:
        step: Step = launch.step
        place, python = site(launch), environment(step) if step.program.requirements else None
        if isinstance(step, Service):
            up |= place.address.values(step.name)
        if isinstance(step, Gang):
            up |= self._equipment.values(step)
        return [
            self._masked(self._equipment.equip(render(launch, place.of(number), python, number)))
            for number in range(1, members_of(step) + 1)
        ]

    def _masked(self, unit: Unit) -> Unit:
        """Return a unit without secrets; its step, which says where they are, keeps them."""
        shown = self._redaction.document(
            {"env": dict(unit.env), "values": dict(unit.values), "files": dict(unit.files), "command": list(unit.argv)}
        )
        return replace(
            unit, env=shown["env"], values=shown["values"], files=shown["files"], argv=tuple(shown["command"])
        )


def port_of(launch: Launch[Any]) -> int | None:
    """Return the port of a start's step, if it has one."""
    return choose_port(launch.step)


@dataclass(frozen=True)
class Preview:
    """What a backend would make.

    Attributes:
        documents: All of it, in the order in which it is made.
        notes: What stands for what only a run knows, a sentence each.
    """

    documents: list[Document]
    notes: list[str]


def preview_plan(plan: Plan, backend: Backend, redaction: Redaction) -> Preview:
    """Return what a backend would make of a plan, without what is secret in it."""
    draft = Draft(plan, redaction, has_gangs=backend.traits.gangs)
    documents = [_stood_in(redaction.data(document)) for document in backend.preview(draft)]
    return Preview(documents, [redaction.text(note) for note in draft.notes])


def describe_unit(unit: Unit) -> Document:
    """Return a unit as data, where its platform takes no form of its own."""
    return {
        "name": unit.label,
        "command": list(unit.argv),
        "folder": str(unit.site.work),
        "environment": dict(unit.env),
        "files": dict(unit.files),
    }


def _stood_in(document: Any) -> Any:
    """Return a document in which labels do not tell of this very moment and process."""
    if isinstance(document, Mapping):
        return {key: _STAND_INS.get(key) or _stood_in(item) for key, item in document.items()}
    return [_stood_in(item) for item in document] if isinstance(document, list) else document
