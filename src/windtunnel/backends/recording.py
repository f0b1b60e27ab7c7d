"""The recording backend: starts nothing, writes down what it was asked, answers from a table.

It is the fake that tests use, and what ``--backend recording`` shows as a dry run: the
table is then empty, every command "succeeds" and measures nothing, so the run is invalid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from windtunnel.backends import BACKENDS
from windtunnel.backends.base import Address, Handle, Launch, RunContext
from windtunnel.backends.traits import Traits
from windtunnel.errors import WindtunnelError
from windtunnel.plan import InputFile, Job, Plan, Service
from windtunnel.run.control import POLL_SECONDS


@dataclass(frozen=True)
class Outcome:
    """What becomes of one start of a step.

    Attributes:
        output: What it writes.
        status: Exit status of a job.
        error: Raised instead: by the start of a step, or by a service's readiness.
        death: Raised while a job runs that needs this service.
        hangs: Whether a job never ends, so that only the control ends the wait.
    """

    output: str = ""
    status: int = 0
    error: WindtunnelError | None = None
    death: WindtunnelError | None = None
    hangs: bool = False


@dataclass(eq=False)
class RecordedStep:
    """A step that was "started"."""

    name: str
    address: Address
    outcome: Outcome
    metrics: None = None
    is_stopped: bool = False


@dataclass
class RecordingBackend:
    """Answers from `outcomes`: per step, one outcome an attempt; the last one stays.

    Attributes:
        outcomes: The table; a step that is not in it succeeds and writes nothing.
        calls: What was asked, in order, such as ``"start server"``.
        left: What survives the run, by name.
        environment: What the platform says of itself.
    """

    outcomes: Mapping[str, Sequence[Outcome]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
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

    def resources(self) -> None:
        """Return None: nothing is made."""

    def open(self, context: RunContext) -> RecordingSession:
        """Begin a run that only writes down."""
        self.calls.append("open")
        return RecordingSession(self, context)


class RecordingSession:
    """One recorded run."""

    def __init__(self, backend: RecordingBackend, context: RunContext) -> None:
        self._backend = backend
        self._context = context
        self._attempts: dict[str, int] = {}
        self._running: list[RecordedStep] = []
        self._port = 40_000

    def fetch(self, inputs: Sequence[InputFile]) -> None:
        """Write down what would be fetched."""
        self._backend.calls += [f"fetch {item.src}" for item in inputs]

    def install(self, steps: Sequence[Service | Job]) -> None:
        """Write down what would be installed."""
        self._backend.calls += [f"install {' '.join(step.program.requirements)} for {step.name}" for step in steps]

    def start_service(self, launch: Launch[Service]) -> RecordedStep:
        """Write down the start of a service."""
        return self._start(launch)

    def start_job(self, launch: Launch[Job]) -> RecordedStep:
        """Write down the start of a job."""
        return self._start(launch)

    def _start(self, launch: Launch[Service] | Launch[Job]) -> RecordedStep:
        name = launch.step.name
        self._backend.calls.append(f"start {launch.label}")
        table = self._backend.outcomes.get(name) or (Outcome(),)
        attempt = self._attempts.get(name, 0)
        self._attempts[name] = attempt + 1
        outcome = table[min(attempt, len(table) - 1)]
        if isinstance(launch.step, Job) and outcome.error:
            raise outcome.error
        self._port += 1
        log = self._context.folder.path / "logs" / f"{launch.label}.log"
        log.write_text(outcome.output, encoding="utf-8")
        step = RecordedStep(name, Address("127.0.0.1", self._port), outcome)
        self._running.append(step)
        return step

    def until_ready(self, handle: Handle, others: Sequence[Handle]) -> None:
        """Answer as the table says."""
        del others
        self._backend.calls.append(f"ready {handle.name}")
        if error := self._own(handle).outcome.error:
            raise error

    def wait(self, job: Handle, services: Sequence[Handle]) -> int:
        """Answer as the table says; a job that hangs waits for the control."""
        self._backend.calls.append(f"wait {job.name}")
        for service in services:
            if death := self._own(service).outcome.death:
                raise death
        outcome = self._own(job).outcome
        while outcome.hangs:
            self._context.control.wait(POLL_SECONDS)
        self._context.control.check()
        return outcome.status

    def check(self, services: Sequence[Handle]) -> None:
        """Ask the control; services live unless the table says otherwise."""
        del services
        self._context.control.check()

    def stop(self, handle: Handle) -> None:
        """Write down the stop, once."""
        step = self._own(handle)
        if not step.is_stopped:
            step.is_stopped = True
            self._backend.calls.append(f"stop {handle.name}")

    def environment(self) -> dict[str, Any]:
        """Answer as the table says."""
        return dict(self._backend.environment)

    def survivors(self) -> list[str]:
        """Answer as the table says."""
        return list(self._backend.left)

    def created(self) -> int:
        """Return how many steps were "started"."""
        return len(self._running)

    def close(self) -> None:
        """Write down the end."""
        self._backend.calls.append("close")

    @staticmethod
    def _own(handle: Handle) -> RecordedStep:
        if not isinstance(handle, RecordedStep):
            msg = f"not a step of the recording backend: {handle!r}"
            raise TypeError(msg)
        return handle
