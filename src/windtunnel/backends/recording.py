"""The recording backend: starts nothing, writes down what it was asked, answers from a table.

It is the fake that tests use, and what ``--backend recording`` shows as a dry run: the
table is then empty, every command "succeeds" and measures nothing, so the run is invalid.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from windtunnel.backends import BACKENDS
from windtunnel.backends.base import Address, Launch, RunContext
from windtunnel.backends.network_probe import Answer
from windtunnel.backends.platform import Collected, Fetch, State, Task, Whereabouts
from windtunnel.backends.preview import Document, Draft, describe_unit, port_of
from windtunnel.backends.session import Session
from windtunnel.backends.traits import Traits
from windtunnel.backends.unit import Environment, Site, Unit
from windtunnel.errors import WindtunnelError
from windtunnel.plan import Gang, InputFile, Job, Plan, Probe, Service

_YES = Answer(ok=True, detail="recorded")
_HOME = PurePosixPath("/windtunnel")


@dataclass(frozen=True)
class Outcome:
    """What becomes of one start of a step.

    Attributes:
        output: What it writes.
        status: Exit status of a job.
        error: Raised instead: by the start of a job or a gang, or by a service's readiness.
        death: Raised while a job runs, if this is a service.
        hangs: Whether a job never ends, so that only the control ends the wait.
        states: How far it is, and from how many seconds after its start on; instead of `status` and `hangs`.
        answers: What its probes are told, one after the other; the last one stays.
    """

    output: str = ""
    status: int = 0
    error: WindtunnelError | None = None
    death: WindtunnelError | None = None
    hangs: bool = False
    states: Sequence[tuple[float, State]] = ()
    answers: Sequence[Answer] = (_YES,)


@dataclass
class RecordingBackend:
    """Answers from `outcomes`: per step, one outcome a start; the last one stays.

    Attributes:
        outcomes: The table; a step that is not in it succeeds and writes nothing.
        calls: What was asked, in order, such as ``"start server"``.
        asked: How often each step was probed.
        left: What survives the run, by name.
        environment: What the platform says of itself.
    """

    outcomes: Mapping[str, Sequence[Outcome]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    left: list[str] = field(default_factory=list)
    environment: Mapping[str, Any] = field(default_factory=dict)
    name: str = "recording"
    traits: Traits = BACKENDS["recording"]

    def available(self) -> str | None:
        """Return None: it works everywhere."""
        return None

    def check(self, plan: Plan) -> list[str]:
        """Return no notes: that nothing is measured, the traits tell."""
        del plan
        return []

    def preview(self, draft: Draft) -> Iterator[Document]:
        """Yield the units that would be written down."""
        for units in draft.starts(lambda launch: _site_of(launch.label, port_of(launch)), lambda _step: None):
            yield from map(describe_unit, units)

    def resources(self) -> None:
        """Return None: nothing is made."""

    def open(self, context: RunContext) -> Session:
        """Begin a run that only writes down."""
        return Session(context, RecordingPlatform(self, context))


def _site_of(label: str, port: int | None) -> Site:
    home = _HOME / label
    return Site(Address("127.0.0.1", port), home / "work", home / "out", home / "metrics.jsonl")


class RecordingTask:
    """A unit that was "started".

    Args:
        unit: The unit.
        outcome: What becomes of it.
        log: What it "wrote".
        backend: What is asked of it is written down there.
    """

    def __init__(self, unit: Unit, outcome: Outcome, log: Path, backend: RecordingBackend) -> None:
        self.unit, self.outcome, self.log, self._backend = unit, outcome, log, backend
        self._began = time.monotonic()
        self._answers: Iterator[Answer] = iter(outcome.answers)
        self._answer: Answer | None = None
        self.is_stopped = False
        log.write_text(outcome.output, encoding="utf-8")

    @property
    def name(self) -> str:
        """The label of its unit."""
        return self.unit.label

    @property
    def address(self) -> Address:
        """Its address."""
        return self.unit.site.address

    @property
    def state(self) -> State:
        """How far it is, as the table says."""
        age = time.monotonic() - self._began
        found = next((state for after, state in reversed(self.outcome.states) if age >= after), None)
        if found:
            return found
        if self.is_stopped:
            return State("gone")
        is_running = isinstance(self.unit.step, Service) or self.outcome.hangs or bool(self.outcome.states)
        return State() if is_running else State("gone", self.outcome.status, self._began)

    def answer(self, probe: Probe) -> Answer:
        """Answer a probe as the table says."""
        del probe
        name = self.unit.step.name
        if self._answer is None:
            self._backend.calls.append(f"ready {name}")
        self._backend.asked[name] += 1
        if self.outcome.error:
            raise self.outcome.error
        self._answer = next(self._answers, self._answer)
        return self._answer or _YES

    def reach(self, kind: str, port: int, target: str, seconds: float) -> Answer:
        """Answer like any probe."""
        del kind, port, target, seconds
        return _YES

    def run(self, argv: Sequence[str], seconds: float) -> Answer:
        """Write down a command; it succeeds."""
        del seconds
        self._backend.calls.append(f"run {' '.join(argv)}")
        return _YES

    def collect(self, into: Path) -> Collected:
        """Do nothing: it wrote nothing but its log."""
        del into
        return Collected()

    def remove(self) -> None:
        """Do nothing: nothing is there."""


class RecordingPlatform:
    """One recorded run."""

    kind = "process"
    latency = 0.01

    def __init__(self, backend: RecordingBackend, context: RunContext) -> None:
        self._backend, self._context = backend, context
        self._starts: dict[str, int] = {}
        self._tasks: list[RecordingTask] = []
        backend.calls.append("open")

    def check(self) -> None:
        """Raise the death of a service while a job runs, as the table says."""
        running = [task for task in self._tasks if not task.is_stopped]
        if any(isinstance(task.unit.step, Job) for task in running):
            for task in running:
                if task.outcome.death:
                    raise task.outcome.death

    def share(self, inputs: Sequence[InputFile], fetch: Fetch) -> None:
        """Write down what would be fetched."""
        del fetch
        self._backend.calls += [f"fetch {item.src}" for item in inputs]

    def install(self, step: Service | Job) -> tuple[dict[str, str], bool]:
        """Write down what would be installed."""
        self._backend.calls.append(f"install {' '.join(step.program.requirements)} for {step.name}")
        return {}, False

    def environment_of(self, step: Service | Job) -> Environment | None:
        """Return None: nothing was installed."""
        del step
        return None

    def site(self, launch: Launch[Any]) -> Site:
        """Return a place that nothing will be at."""
        return _site_of(launch.label, 40_001 + len(self._tasks) if isinstance(launch.step, Service) else None)

    def whereabouts(self, task: Task) -> Whereabouts:
        """Return an address and a node that are not there, other ones for each member."""
        return Whereabouts(f"192.0.2.{task.unit.number}", f"node-{task.unit.number}")

    def start(self, units: Sequence[Unit]) -> Sequence[Task]:
        """Write down the start of a step."""
        unit = units[0]
        name, started = unit.step.name, self._starts.get(unit.step.name, 0)
        self._backend.calls.append(f"start {unit.label}")
        table = self._backend.outcomes.get(name) or (Outcome(),)
        outcome = table[min(started, len(table) - 1)]
        self._starts[name] = started + 1
        if isinstance(unit.step, (Job, Gang)) and outcome.error:
            raise outcome.error
        made = [RecordingTask(each, outcome, each.log(self._context.folder), self._backend) for each in units]
        self._tasks += made
        return made

    def stop(self, tasks: Sequence[Task], grace: float) -> None:
        """Write down the stop of a step."""
        del grace
        self._backend.calls.append(f"stop {tasks[0].unit.step.name}")
        for task in tasks:
            if isinstance(task, RecordingTask):
                task.is_stopped = True

    def facts(self) -> dict[str, Any]:
        """Answer as the table says."""
        return dict(self._backend.environment)

    def left(self) -> list[str]:
        """Answer as the table says."""
        return list(self._backend.left)

    def created(self) -> int:
        """Return how many units were "started"."""
        return len(self._tasks)

    def close(self) -> None:
        """Write down the end."""
        self._backend.calls.append("close")
