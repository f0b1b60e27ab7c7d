"""The driver's acts as nodes of its workflow: what a person would draw, red where it failed, without a pod each.

Argo's controller makes nodes of what is in a workflow's spec, and waits for those. Acts are written beside them, each
once it is over: Argo waits for none, and a driver that is lost leaves none that goes on.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from windtunnel.backends.kubernetes.api import Cluster
from windtunnel.backends.kubernetes.container_spec import is_in_client
from windtunnel.engines.argo.causes import words_of
from windtunnel.engines.argo.cells import task_name
from windtunnel.engines.argo.nodes import Node, change_nodes
from windtunnel.errors import PlatformError
from windtunnel.plan import Plan
from windtunnel.run.events import Event, EventType

_MOST = 100
"""Acts that are shown: a workflow has to fit into one object of the API. One that failed is shown all the same."""
_AT_ONCE = {
    EventType.SERVICE_STARTED,
    EventType.SERVICE_READY,
    EventType.SERVICE_STOPPED,
    EventType.ITERATION_STARTED,
    EventType.ITERATION_FINISHED,
    EventType.CAUSE,
}
"""When what is over is shown, a while before the driver changes the workflow for the last time: Argo's controller may
forget a change of nodes that came while it wrote them itself, until it hears of the next change. So it is shown
once more when a client has started, which may take hours."""
_LOOKS = 2
"""How many of those times an act is shown: of very many that are not shown, nothing is read or written."""
_OF_SERVICES = {
    EventType.SERVICE_STARTING,
    EventType.SERVICE_STARTED,
    EventType.SERVICE_READY,
    EventType.SERVICE_STOPPING,
    EventType.SERVICE_STOPPED,
}
_FNV_BASIS, _FNV_PRIME = 0x811C9DC5, 0x01000193


@dataclass(frozen=True)
class Act:
    """Something that the driver does.

    Attributes:
        name: What it is called.
        began: When it began, seconds since the epoch.
        ended: When it ended.
        cause: Why it failed, if it did.
        outputs: What came of it.
    """

    name: str
    began: float
    ended: float = 0.0
    cause: str | None = None
    outputs: dict[str, str] = field(default_factory=dict)

    def node(self, began: int) -> dict[str, Any]:
        """Return what Argo shows of it.

        Args:
            began: The whole second that it is said to have begun in.
        """
        outputs = self.outputs | {"seconds": f"{self.ended - self.began:.3f}"}
        return {
            "displayName": self.name,
            "type": "Suspend",
            "phase": "Succeeded" if self.cause is None else "Failed",
            "message": self.cause or "",
            "startedAt": _moment(began),
            "finishedAt": _moment(max(began, math.floor(self.ended))),
            "outputs": {"parameters": [{"name": name, "value": value} for name, value in outputs.items()]},
        }


class Acts:
    """Learns of the driver's acts from its run's events, and shows them.

    Args:
        cluster: The workflow's cluster.
        workflow: The workflow's name.
        plan: The run's plan, which has one job.
        cell: Which of a matrix's runs it is, if it is one: the acts are below its part of the workflow.
    """

    def __init__(self, cluster: Cluster, workflow: str, plan: Plan, cell: int | None = None) -> None:
        self._cluster, self._workflow, self._parent = cluster, workflow, _parent(workflow, cell)
        (self._job,) = plan.jobs
        self._beside = {step.name for step in plan.steps if is_in_client(step)}
        self._acts: list[Act] = []
        self._now: Act | None = None
        self._cause: str | None = None
        self._looks = 0

    def __call__(self, event: Event) -> None:
        """Learn of an event."""
        if event.step in self._beside and event.type in _OF_SERVICES:
            return  # it begins and ends with the client's pod, whatever is told of it before
        self._learn_of_end(event)
        self._now = self._begun(event) or self._now
        if event.type in _AT_ONCE and self._looks:
            self._looks -= 1
            self.show()

    def _begun(self, event: Event) -> Act | None:
        """Return the act that begins with an event, if one does."""
        match event.type:
            case EventType.SERVICE_STARTING:
                return Act(f"start {event.step}", event.time)
            case EventType.SERVICE_STARTED:
                return Act(f"{event.step} is ready", event.time, outputs=_address(event))
            case EventType.ITERATION_STARTING:
                return Act(self._job.title(event.iteration or 0), event.time)
            case EventType.SERVICE_STOPPING:
                return Act(f"stop {event.step}", event.time)
        return None

    def _learn_of_end(self, event: Event) -> None:
        match event.type:
            case EventType.SERVICE_STARTED | EventType.SERVICE_READY | EventType.SERVICE_STOPPED:
                self._end(event.time)
            case EventType.ITERATION_FINISHED if event.data.get("status") == 0:
                self._end(event.time)
            case EventType.CAUSE:
                # What goes wrong between acts is the run's.
                self._now = self._now or Act("run", event.time)
                self._cause = words_of(str(event.data.get("code")), event.message)
                self._end(event.time, self._cause)
            case EventType.RUN_FINISHED:
                self._end(event.time, "not done in order; the run's events have more")

    def _end(self, moment: float, cause: str | None = None) -> None:
        act, self._now = self._now, None
        if act and (len(self._acts) < _MOST or cause):
            self._acts.append(replace(act, ended=moment, cause=cause))
            self._looks = _LOOKS

    def show(self) -> None:
        """Write all acts that are over into the workflow, if it can be: the run does not depend on them."""
        with contextlib.suppress(PlatformError):
            change_nodes(self._cluster, self._workflow, self._nodes)

    def _nodes(self, nodes: Sequence[Node]) -> dict[str, Any]:
        """Return the nodes that are to be, by their ids: a chain below the workflow's own, or below a cell's."""
        parent = next((node for node in nodes if node.get("name") == self._parent), {})
        others = parent.get("children")
        if not (others and self._acts):
            return {}  # Argo keeps the nodes of this workflow in a database
        names = [f"{_prefix(self._parent)}{number}" for number in range(len(self._acts))]
        ids = [node_id(self._workflow, each) for each in names]
        found: dict[str, Any] = {parent["id"]: {"children": [*(each for each in others if each != ids[0]), ids[0]]}}
        if self._cause:
            found[parent["id"]]["message"] = self._cause
        for number, (act, began) in enumerate(zip(self._acts, _seconds(self._acts), strict=True)):
            own = {
                "id": ids[number],
                "name": names[number],
                "boundaryID": parent["id"],
                "children": ids[number + 1 :][:1],
            }
            found[ids[number]] = act.node(began) | own
        return found


def forget(cluster: Cluster, workflow: str, cell: int | None = None) -> None:
    """Take an older run's acts out of a workflow that Argo has begun again with its nodes: it would wait for them.

    Raises:
        PlatformError: The API refuses.
    """
    parent = _parent(workflow, cell)

    def find_changes(nodes: Sequence[Node]) -> dict[str, Node | None]:
        gone = {node["id"]: None for node in nodes if str(node.get("name")).startswith(_prefix(parent))}
        if not gone:
            return {}
        above = next(node for node in nodes if node.get("name") == parent)
        kept = [child for child in above.get("children", ()) if child not in gone]
        return {**gone, above["id"]: {"children": kept}}

    change_nodes(cluster, workflow, find_changes)


def _parent(workflow: str, cell: int | None) -> str:
    """Return the name of the node that acts are below."""
    return workflow if cell is None else f"{workflow}.{task_name(cell)}"


def _prefix(parent: str) -> str:
    return f"{parent}.acts."


def node_id(workflow: str, name: str) -> str:
    """Return the id that Argo gives to a node: its name's FNV-1a, of 32 bits."""
    found = _FNV_BASIS
    for byte in name.encode():
        found = (found ^ byte) * _FNV_PRIME & 0xFFFFFFFF
    return f"{workflow}-{found}"


def _seconds(acts: Sequence[Act]) -> Iterator[int]:
    """Yield the whole second in which each act is said to begin: by it alone Argo puts them in order."""
    last = 0
    for act in acts:
        last = max(math.floor(act.began), last + 1)
        yield last


def _moment(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _address(event: Event) -> dict[str, str]:
    host, port = event.data.get("host"), event.data.get("port")
    return {"address": f"{host}:{port}" if port else str(host)}
