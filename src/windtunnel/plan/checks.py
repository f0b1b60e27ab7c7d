"""Checks of a plan: steps that need each other in a circle, and names that nobody gives."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from windtunnel.errors import PlanError
from windtunnel.plan.steps import Job, Service, Step
from windtunnel.substitution import RANK_NAMES, STEP_NAMES, address_names, gang_names, references
from windtunnel.suggest import suggest

if TYPE_CHECKING:
    from windtunnel.plan.model import Plan


def check_needs(plan: Plan) -> None:
    """Refuse steps of one name, needs that do not exist, and steps that need each other in a circle (PlanError)."""
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


def check_references(plan: Plan, step: Step) -> None:
    """Refuse a name that looks like Windtunnel's and is not: it would reach the program as text (PlanError)."""
    known = _names_given(plan, step)
    for name in sorted(set().union(*(references(text) for text in step.texts()))):
        if _is_ours(name) and name not in known and name not in step.program.env:
            raise PlanError(
                f"step {step.name!r} uses ${name}, and no service gives it{suggest(name, known)}"
                f" (for a variable of the program itself write $${name})",
                step=step.name,
                code="unknown_service",
            )


def _names_given(plan: Plan, step: Step) -> set[str]:
    """Return the names that are replaced in a step's texts: its own, and the addresses of the services it needs."""
    services = [each for each in map(plan.step, plan.all_needs(step.name)) if isinstance(each, Service)]
    names = set(STEP_NAMES)
    if isinstance(step, Service):
        services.append(step)
        names |= {"PORT"} if step.port is not None else set()
        # A service that outlives iterations is in none of them.
        if not any(job.fresh and step.name in plan.all_needs(job.name) for job in plan.jobs):
            names.discard("ITERATION")
    if isinstance(step, Job):
        names |= {"WORLD_SIZE", *gang_names(step.launcher.gang).values()} if step.launcher else set()
        names |= RANK_NAMES if step.size else set()
    for service in services:
        address = address_names(service.name)
        names |= {address["host"]} if service.port is None else set(address.values())
    return names


def _is_ours(name: str) -> bool:
    """Tell whether a name is meant for Windtunnel by how it looks: an address, or one of the names of every step."""
    is_address = name.isupper() and name.rpartition("_")[2] in {"HOST", "PORT", "URL", "HOSTS", "HOSTFILE"}
    return is_address or name.startswith("WINDTUNNEL_") or name in {"PORT", "ITERATION"}
