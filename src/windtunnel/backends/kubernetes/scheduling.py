"""Where the pods of a run's steps are asked to go, from where its other pods went."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from windtunnel.backends.kubernetes.affinity import ZONE, Placing, among_members
from windtunnel.backends.kubernetes.api import Cluster, Refused
from windtunnel.backends.kubernetes.nodes import MANY, SchedulingHints, choose_hints, has_choice
from windtunnel.backends.kubernetes.task import PodTask
from windtunnel.backends.unit import Unit
from windtunnel.plan import Gang, Plan, Service


class Scheduling:
    """Finds a place for each step of a run.

    Args:
        plan: What the run does.
        cluster: Where.
        zone_of: Returns a node's zone, or None.
    """

    def __init__(self, plan: Plan, cluster: Cluster, zone_of: Callable[[str], str | None]) -> None:
        self._plan, self._cluster, self._zone_of = plan, cluster, zone_of
        self._nodes: dict[str, dict[int, str]] = {}
        self._known_hints: SchedulingHints | None = None

    def note(self, tasks: Sequence[PodTask]) -> None:
        """Note where tasks went that were started."""
        for task in tasks:
            if node := task.view.node:
                self._nodes.setdefault(task.unit.step.name, {})[task.unit.number] = node

    def placing(self, unit: Unit, architecture: str | None = None) -> Placing:
        """Return where a unit's pod may run.

        Args:
            unit: The unit.
            architecture: What its Python packages were built for.
        """
        step, own = unit.step, among_members(unit.step)
        node = self._nodes.get(step.name, {}).get(unit.number)
        if isinstance(step, Gang):
            return Placing(node=node, architecture=architecture, **own)
        if isinstance(step, Service):
            hints = self._hints()
            kept = hints.kept if step.placement == "apart" else None
            return Placing(zone=hints.zone, node=node, kept=kept, architecture=architecture)
        services = self._plan.services_for(step)
        nodes = [node for each in services for node in self._nodes.get(each.name, {}).values()]
        zones = [zone for each in nodes if (zone := self._zone_of(each))]
        away_from = [each.name for each in services if each.placement == "apart"]
        zone = zones[0] if zones and ZONE not in step.program.node_selector else None
        return Placing(away_from, zone, node, architecture=architecture, **own)

    def _hints(self) -> SchedulingHints:
        """Look at the nodes once, if that could make a difference and this user may."""
        if self._known_hints is None:
            self._known_hints = SchedulingHints()
            if has_choice(self._plan):
                with contextlib.suppress(Refused):
                    found = self._cluster.call("GET", "/api/v1/nodes", query={"limit": MANY})
                    self._known_hints = choose_hints(self._plan, found["items"])
        return self._known_hints
