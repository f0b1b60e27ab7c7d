"""What an engine is asked to run, checked against where it is to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from windtunnel.addresses import S3, ClaimAddress, ObjectAddress, parse_store
from windtunnel.backends import make_backend
from windtunnel.backends.base import Backend
from windtunnel.benchmark import Loaded
from windtunnel.errors import PlatformError, Unsupported, UsageError
from windtunnel.plan import Plan
from windtunnel.run.control import Control
from windtunnel.run.events import Observer
from windtunnel.run.record import SweepPart

DEFAULT_STORE = Path("runs")
"""The folder that keeps runs, and the copies of those that are uploaded."""
CLAIM_BACKENDS: frozenset[str] = frozenset()
"""The backends that can write to a Kubernetes volume claim: none yet."""


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
        remote: Where the run is uploaded to from its folder, if it is.
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
    remote: ObjectAddress | None = None


def make_request(loaded: Loaded, plan: Plan, backend_name: str, store: str | None = None) -> Request:
    """Return a request of which it is known that the backend can do it, with its deadline from now.

    Args:
        loaded: The benchmark.
        plan: Its plan.
        backend_name: Where its steps are to run.
        store: Where runs are kept; else what the benchmark says.

    Raises:
        UsageError: No backend is called so, the store is none, or an extra is not installed.
        Unsupported: The backend cannot do what the plan asks for.
        PlatformError: The backend does not work here.
    """
    backend = make_backend(backend_name)
    folder, remote = _find_store(store or loaded.benchmark.output.store, backend_name)
    _check_extras(plan, remote)
    notes = backend.check(plan)
    if reason := backend.available():
        raise PlatformError(f"backend {backend_name}: {reason}", code="backend_unavailable")
    return Request(
        loaded=loaded,
        plan=plan,
        backend=backend,
        store=folder,
        control=Control.for_plan(plan),
        notes=[*loaded.notes, *notes],
        remote=remote,
    )


def aws_unavailable() -> str | None:
    """Return why S3 cannot be used here, or None if it can."""
    return None if find_spec("boto3") else "pip install 'windtunnel[aws]'"


def require_aws(what: str) -> None:
    """Check that S3 can be used here, which `what` needs (UsageError with what to install, otherwise)."""
    if reason := aws_unavailable():
        raise UsageError(f"{what}: {reason}")


def _find_store(store: str, backend: str) -> tuple[Path, ObjectAddress | None]:
    """Return the folder that a run is written to, and where it is uploaded to from there."""
    try:
        place = parse_store(store)
    except ValueError as error:
        raise UsageError(f"store: {error}") from None
    if isinstance(place, Path):
        return place, None
    if isinstance(place, ClaimAddress):
        if backend not in CLAIM_BACKENDS:
            here = "cannot do that yet" if backend == "kubernetes" else f"the {backend} backend has none"
            raise Unsupported(
                f"store {place}: volume claims are Kubernetes's, and {here}; give a folder or {S3}bucket/prefix"
            )
        return DEFAULT_STORE, None
    return DEFAULT_STORE, place


def _check_extras(plan: Plan, remote: ObjectAddress | None) -> None:
    wanted = [str(remote)] if remote else [f"input {item.src}" for item in plan.inputs if item.src.startswith(S3)]
    if wanted:
        require_aws(wanted[0])
