"""What an engine is asked to run, checked against where it is to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from windtunnel.backends import make_backend
from windtunnel.backends.base import Backend
from windtunnel.benchmark import Loaded
from windtunnel.errors import PlatformError
from windtunnel.plan import Plan
from windtunnel.run.control import Control
from windtunnel.run.events import Observer
from windtunnel.run.record import SweepPart


@dataclass(frozen=True)
class Request:
    """What to run, where, and how it is told.

    Attributes:
        loaded: The benchmark and where it came from.
        plan: Its plan, checked against the backend.
        backend: Where its steps run.
        store: Folder that keeps runs.
        control: Deadline and cancellation.
        observers: Told of each event.
        strict: Whether a suspect result is a failure.
        hold: Called before teardown when the run's resources should be kept a while.
        notes: Told at the beginning.
        sweep: Which run of a sweep it is, if it is one.
    """

    loaded: Loaded
    plan: Plan
    backend: Backend
    store: Path
    control: Control
    observers: Sequence[Observer] = ()
    strict: bool = False
    hold: Callable[[], None] | None = None
    notes: Sequence[str] = field(default=())
    sweep: SweepPart | None = None


def make_request(loaded: Loaded, plan: Plan, backend_name: str, store: Path | None = None) -> Request:
    """Return a request of which it is known that the backend can do it, with its deadline from now.

    Args:
        loaded: The benchmark.
        plan: Its plan.
        backend_name: Where its steps are to run.
        store: Folder that keeps runs; else the benchmark's.

    Raises:
        UsageError: No backend is called so.
        Unsupported: The backend cannot do what the plan asks for.
        PlatformError: The backend does not work here.
    """
    backend = make_backend(backend_name)
    notes = backend.check(plan)
    if reason := backend.available():
        raise PlatformError(f"backend {backend_name}: {reason}", code="backend_unavailable")
    return Request(
        loaded=loaded,
        plan=plan,
        backend=backend,
        store=store or Path(loaded.benchmark.output.store),
        control=Control.for_plan(plan),
        notes=[*loaded.notes, *notes],
    )
