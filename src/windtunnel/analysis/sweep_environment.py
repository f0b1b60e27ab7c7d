"""Where the runs of a sweep were made: what is alike, what differs, and where ranks ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windtunnel.analysis.page import fact, read_json
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord

_MOST_FACTS = 3
_ALIKE = ("architecture", "cpu_governor", "cpu_model", "cpus", "kernel", "memory", "windtunnel")
"""Facts of a machine that bend a comparison if they differ."""
_OF_A_RUN = {"gangs", "load_average"}
"""What is another one in each run."""


@dataclass(frozen=True)
class SweepEnvironment:
    """Where the runs of a sweep were made.

    Attributes:
        host_facts: Each fact of the machines with its value, or its values where they differ.
        differing: Those that differ and bend a comparison.
        placements: Where the members of each run's gangs were, such as ``node1: 4 ranks``; nothing without gangs.
    """

    host_facts: Sequence[tuple[str, str | None]]
    differing: Sequence[str]
    placements: Sequence[str]


def environment_of(records: Sequence[RunRecord]) -> SweepEnvironment:
    """Return where the runs of a sweep were made, in their order."""
    found = [read_json(RunFolder(Path(record.path or "")), "environment.json") for record in records]
    facts, differing = [], []
    for key in dict.fromkeys(key for each in found for key in each if key not in _OF_A_RUN):
        counted = Counter(str(fact(key, each[key])) for each in found if each.get(key) is not None)
        facts.append((key.replace("_", " "), _words(counted)))
        if key in _ALIKE and len(counted) > 1:
            differing.append(key.replace("_", " "))
    gangs = [_gangs(each) for each in found]
    # Launchers may be what is compared, but not their versions.
    versions = {(gang.get("implementation"), gang.get("version")) for each in gangs for gang in each}
    counts = Counter(implementation for implementation, _version in versions if implementation)
    differing += [f"the version of {implementation}" for implementation, count in counts.items() if count > 1]
    return SweepEnvironment(facts, differing, [_placement(each) for each in gangs] if any(gangs) else [])


def _words(counted: Mapping[str, int]) -> str | None:
    """Return the one value of a fact, or several with the number of runs that have each."""
    if len(counted) <= 1:
        return next(iter(counted), None)
    named = [f"{value} ({count} run{'s' * (count > 1)})" for value, count in list(counted.items())[:_MOST_FACTS]]
    more = len(counted) - _MOST_FACTS
    return f"differs: {'; '.join(named)}{f'; {more} more' if more > 0 else ''}"


def _gangs(environment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what is known of a run's gangs, each with its members; a damaged file has none."""
    gangs = environment.get("gangs")
    known = gangs.values() if isinstance(gangs, dict) else ()
    return [gang for gang in known if isinstance(gang, dict) and isinstance(gang.get("members"), list)]


def _placement(gangs: Sequence[Mapping[str, Any]]) -> str:
    """Return how many ranks, or members where ranks are not known, each node had, and the launcher that said so."""
    parts = []
    for gang in gangs:
        members = [member for member in gang["members"] if isinstance(member, dict)]
        what = "rank" if any("ranks" in member for member in members) else "member"
        counted = Counter[str]()
        for member in members:
            counted[str(member.get("node") or member.get("name"))] += len(member["ranks"]) if what == "rank" else 1
        nodes = ", ".join(f"{node}: {count} {what}{'s' * (count != 1)}" for node, count in counted.items())
        launcher = " ".join(str(gang[key]) for key in ("implementation", "version") if gang.get(key))
        parts.append(f"{nodes} ({launcher})" if launcher else nodes)
    return "; ".join(parts)
