"""Whether a backend can do what a plan asks for: refused or noted in one place, from its traits."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from windtunnel.backends import backends_that
from windtunnel.backends.base import Backend
from windtunnel.backends.traits import Traits
from windtunnel.errors import Unsupported
from windtunnel.plan import Gang, Job, Plan, Service, Step, members_of


def check_support(plan: Plan, backend: Backend) -> list[str]:
    """Return notes on what of a plan a backend ignores; nothing is started.

    Raises:
        Unsupported: The plan asks for what the backend cannot do.
        UsageError: The backend's own settings, such as variables, are wrong.
    """
    notes = list(_check_whole(plan, backend))
    for step in plan.steps:
        _refuse(step, backend)
        notes += _note(step, backend.traits)
    return [*notes, *backend.check(plan)]


def other_backends(can: Callable[[Traits], object]) -> str:
    """Return advice to use one of the backends that can do something, such as ``use --backend a, b or c``."""
    *others, last = backends_that(can)
    return f"use --backend {', '.join(others)} or {last}" if others else f"use --backend {last}"


def _check_whole(plan: Plan, backend: Backend) -> Iterator[str]:
    traits = backend.traits
    if not traits.measures:
        yield f"the {backend.name} backend starts nothing and measures nothing"
    if plan.target and traits.measures and not traits.targets:
        advice = other_backends(lambda other: other.targets)
        raise Unsupported(
            f"target {plan.target.name}: on the {backend.name} backend runs cannot wait for each other; {advice}"
        )
    for item in plan.inputs:
        if item.path.startswith("/") and not traits.absolute_paths:
            advice = other_backends(lambda other: other.absolute_paths)
            raise Unsupported(f"input {item.src}: the absolute path {item.path!r} is for containers; {advice}")


def _refuse(step: Step, backend: Backend) -> None:
    """Refuse a step that asks for what a backend has not (Unsupported)."""
    for reason in _reasons(step, backend.name, backend.traits):
        raise Unsupported(f"{step.name}: {reason}", step=step.name)


def _reasons(step: Step, name: str, traits: Traits) -> Iterator[str]:
    """Yield why a backend cannot run a step, and what can be done."""
    program, cannot = step.program, f"the {name} backend cannot do that"
    absolute = next((path for path in program.files if path.startswith("/")), None)
    if program.trace and not traits.traces:
        advice = other_backends(lambda other: other.traces)
        yield f"trace = true: the {name} backend cannot record system calls; {advice}"
    if traits.images and traits.measures and not program.image:
        yield f'the {name} backend needs an image; give {step.name}.image = "NAME:TAG"'
    if absolute and not traits.absolute_paths:
        advice = other_backends(lambda other: other.absolute_paths)
        yield f"the absolute path {absolute!r} in files is for containers; {cannot}; {advice}"
    if program.isolation == "sealed" and not traits.seals:
        why = f", which see all of {traits.machine}" if traits.machine else ""
        advice = other_backends(lambda other: other.seals)
        yield f'isolation = "sealed" cannot be kept for {traits.steps}{why}; {advice}'
    members = members_of(step)
    if step.placement == "spread" and members > 1 and traits.machine:
        advice = other_backends(lambda other: not other.machine)
        yield (
            f'placement = "spread" wants a node for each of {members} members,'
            f" and {traits.steps} are all on {traits.machine}; {advice}"
        )
    if isinstance(step, Service) and not isinstance(step, Gang) and step.replicas > 1 and not traits.replicas:
        advice = other_backends(lambda other: other.replicas)
        yield f"{step.replicas} replicas behind one address need containers; {cannot}; {advice}"


def _note(step: Step, traits: Traits) -> Iterator[str]:
    """Yield what of a step is ignored."""
    program = step.program
    if program.image and not traits.images:
        yield f"{step.name}: image {program.image!r} is ignored; the command is taken from PATH"
    if (program.cpu or program.memory) and not traits.limits:
        yield f"{step.name}: resources are ignored; {traits.steps} share {traits.machine or 'their machine'}"
    if isinstance(step, Gang) and not traits.gangs:
        yield f"{step.name}: no workers are started; the launcher starts all ranks on {traits.machine}"
    if isinstance(step, Job) and step.launcher and program.trace and traits.gangs:
        yield f"{step.name}: the system calls of the launcher are recorded, and not those of ranks, which are elsewhere"
    if isinstance(step, Service) and not isinstance(step, Gang) and step.placement != "apart" and traits.machine:
        yield f"{step.name}: placement {step.placement!r} is ignored; all is on {traits.machine}"
