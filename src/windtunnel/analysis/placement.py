"""Where the members of gangs were, for a report: the nodes, the workers on each, and their ranks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from windtunnel.analysis.formatting import seconds

_NAMES = {"openmpi": "Open MPI", "mpich": "MPICH", "intel": "Intel MPI"}


@dataclass(frozen=True)
class Worker:
    """A member of a gang: its name, its address, and its ranks."""

    name: str
    address: str
    ranks: list[int]


@dataclass(frozen=True)
class Placement:
    """The members of one gang.

    Attributes:
        gang: The gang's name.
        launcher: What started the ranks, with its version; None if the members did by themselves.
        costs: What reaching them and counting the ranks took, in words; empty if nobody did.
        nodes: The workers on each node.
    """

    gang: str
    launcher: str | None
    costs: str
    nodes: dict[str, list[Worker]] = field(default_factory=dict)


def placements(environment: Mapping[str, Any]) -> list[Placement]:
    """Return the placements that a run's ``environment.json`` tells of; none if it had no gang."""
    gangs = environment.get("gangs")
    return [_placement(name, facts) for name, facts in gangs.items()] if isinstance(gangs, dict) else []


def _placement(gang: str, facts: Mapping[str, Any]) -> Placement:
    name, version = facts.get("implementation"), facts.get("version")
    launcher = f"{_NAMES.get(name, name)} {version}" if name else None
    took = {"workers reached in": facts.get("barrier_seconds"), "ranks counted in": facts.get("census_seconds")}
    costs = ", ".join(f"{words} {seconds(value)}" for words, value in took.items() if value is not None)
    nodes: dict[str, list[Worker]] = {}
    for number, member in enumerate(facts.get("members", ())):
        ranks = member.get("ranks", [number] if launcher is None else [])
        nodes.setdefault(member["node"], []).append(Worker(member["name"], member["address"], ranks))
    return Placement(gang, launcher, costs, nodes)
