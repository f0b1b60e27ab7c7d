"""What an engine is asked to run, checked against where it is to run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from windtunnel.addresses import CLAIM, S3, ClaimAddress, ObjectAddress, parse_store
from windtunnel.backends.base import Backend
from windtunnel.backends.kubernetes.settings import POD
from windtunnel.backends.support import check_support, other_backends
from windtunnel.benchmark import Loaded
from windtunnel.engines.stores import require_aws
from windtunnel.errors import PlatformError, Unsupported, UsageError, WindtunnelError
from windtunnel.plan import Plan
from windtunnel.run.control import Control
from windtunnel.run.events import Observer
from windtunnel.run.record import DuelPart, RunRecord, SweepPart

DEFAULT_STORE = Path("runs")
"""The folder that keeps runs, and the copies of those that are uploaded."""


@dataclass(frozen=True)
class Request:
    """A plan to run, where to run it, and who is told of it.

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
        duel: Which run of a duel it is, if it is one.
        remote: Where the run is uploaded to from its folder, if it is.
        run_id: The run's id, if others have to know it beforehand; else a new one is made.
        is_volatile: Whether the folder may go with this process, as that of a pod does: what was measured is stored
            after each iteration then.
        report: Adds a report to the folder once the run is over and stored; it is stored then, too.
        unstored: What becomes of its folder if that could not be uploaded, in words; else how it can be sent again.
        carried: Where inputs are here that are files of another machine, by their `src`.
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
    duel: DuelPart | None = None
    remote: ObjectAddress | ClaimAddress | None = None
    run_id: str | None = None
    is_volatile: bool = False
    report: Callable[[RunRecord], object] | None = None
    unstored: str | None = None
    carried: Mapping[str, Path] = field(default_factory=dict)


def make_request(loaded: Loaded, plan: Plan, backend: Backend, store: str | None = None) -> Request:
    """Return a request of which it is known that the backend can do it, with its deadline from now.

    Args:
        loaded: The benchmark.
        plan: Its plan.
        backend: Where its steps are to run.
        store: Where runs are kept; else what the benchmark says.

    Raises:
        UsageError: The store is none, or an extra is not installed.
        Unsupported: The backend cannot do what the plan asks for.
        PlatformError: The backend does not work here.
    """
    try:
        folder, remote = find_store(store or loaded.benchmark.output.store, backend)
        _check_extras(plan, remote)
        notes = check_support(plan, backend)
    except WindtunnelError as error:
        raise loaded.redaction.error(error) from None
    if reason := backend.available():
        told = loaded.redaction.text(reason)
        raise PlatformError(f"backend {backend.name}: {told}", code="backend_unavailable")
    return Request(
        loaded=loaded,
        plan=plan,
        backend=backend,
        store=folder,
        control=Control.for_plan(plan),
        notes=[*loaded.notes, *notes],
        remote=remote,
        is_volatile=POD in os.environ,
    )


def find_store(store: str, backend: Backend) -> tuple[Path, ObjectAddress | ClaimAddress | None]:
    """Return the folder that a run is written to, and where it is uploaded to from there.

    Raises:
        UsageError: The text is no store.
        Unsupported: The backend has no such stores.
    """
    try:
        place = parse_store(store)
    except ValueError as error:
        raise UsageError(f"store: {error}") from None
    if isinstance(place, Path):
        return place, None
    if isinstance(place, ClaimAddress) and CLAIM not in backend.traits.stores:
        advice = other_backends(lambda other: CLAIM in other.stores)
        raise Unsupported(
            f"store {place}: volume claims are Kubernetes's, and the {backend.name} backend has none;"
            f" give a folder or {S3}bucket/prefix, or {advice}"
        )
    return DEFAULT_STORE, place


def _check_extras(plan: Plan, remote: ObjectAddress | ClaimAddress | None) -> None:
    is_s3 = isinstance(remote, ObjectAddress)
    wanted = [str(remote)] if is_s3 else [f"input {item.src}" for item in plan.inputs if item.src.startswith(S3)]
    if wanted:
        require_aws(wanted[0])
