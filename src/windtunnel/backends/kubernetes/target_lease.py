"""A run's turn on a target of a cluster: a Lease that is called like the target, which one run has at a time.

A Lease alone would not do: a driver that dies, or loses the API, leaves pods that its warden ends later. So
a run goes on when it has the Lease, and nothing of another run on the target is left; all objects of a
run carry the target as a label.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from windtunnel.backends.base import RunContext
from windtunnel.backends.kubernetes.api import CONFLICT, NOT_FOUND, Cluster, Refused, connect, map_errors
from windtunnel.backends.kubernetes.manifests import Manifest, micro_time
from windtunnel.backends.kubernetes.naming import STORE, Naming
from windtunnel.backends.kubernetes.outage import Patience
from windtunnel.backends.kubernetes.resources import KINDS
from windtunnel.backends.kubernetes.run_manifests import TURN, target_lease
from windtunnel.backends.kubernetes.settings import lease_seconds
from windtunnel.backends.kubernetes.warden import RENEWALS_A_LEASE
from windtunnel.backends.labels import DRIVER, RUN, TARGET, RunLabels
from windtunnel.errors import PlatformError, TimedOut
from windtunnel.plan import Target

LOOK_SECONDS = 1.0
TELL_SECONDS = 30.0
STALL_SECONDS = 10.0
"""After so long without a look nothing is known of what happened meanwhile: this process, or the API, stood still."""


class TargetLease:
    """A run's turn on a target: waited for, renewed by a thread, and given back when nothing of the run is left.

    Args:
        context: The run.
        target: The target.
        cluster: Where its Lease is; else the cluster that is configured.

    Raises:
        PlatformError: The API refuses, or does not answer.
        TimedOut: The target was not free in time (``target_busy``).
        Cancelled: Somebody asked the run to stop.
    """

    def __init__(self, context: RunContext, target: Target, cluster: Cluster | None = None) -> None:
        self._context, self._target, control = context, target, context.control
        cluster = cluster or connect()
        self._cluster = replace(cluster, patience=Patience(lambda: control.is_urgent))
        self._waiting = replace(cluster, patience=Patience(lambda: control.is_cancelled))
        labels = RunLabels(context.folder.run_id, context.plan, time.time() + target.within)
        self._seconds = lease_seconds()
        self._wanted = target_lease(Naming.of(labels, TURN), target.name, self._seconds)
        self._path = cluster.path("Lease", self._wanted["metadata"]["name"])
        self._sighting = _Sighting()
        self._lease: Manifest | None = None
        self._renewing = threading.Lock()
        self._over = threading.Event()
        self._began = time.monotonic()
        self._told: float | None = None
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def _wait(self) -> None:
        name, control = self._target.name, self._context.control
        while obstacle := self._obstacle():
            if time.monotonic() > self._began + self._target.within:
                raise TimedOut(
                    f"target {name} was not free within {self._target.within:g} s: {obstacle}", code="target_busy"
                )
            self._tell(f"waits for target {name}: {obstacle}")
            control.wait(LOOK_SECONDS)
        if self._told:
            self._context.journal.note(f"has target {name}, after {time.monotonic() - self._began:.1f} s")

    def _tell(self, words: str) -> None:
        now = time.monotonic()
        if self._told is None or now >= self._told + TELL_SECONDS:
            self._told = now
            self._context.journal.note(words)

    def _obstacle(self) -> str | None:
        """Return in words what keeps the run from its turn; None once it has it."""
        try:
            with map_errors(f"taking the target {self._target.name}"):
                return (None if self._lease else self._take()) or self._find_left()
        except PlatformError:
            # The API was asked in a hurry, and for nothing.
            self._context.control.check()
            raise

    def _take(self) -> str | None:
        """Take the Lease if it is free; return in words who has it otherwise."""
        found = self._find(self._waiting.call)
        if found is None:
            taken = self._try(lambda: self._waiting.create(self._wanted))
        elif self._is_own(found):
            taken = found
        elif self._sighting.is_stale(found) and not self._find_left(found["spec"].get("holderIdentity")):
            taken = self._try(lambda: self._waiting.call("PATCH", self._path, self._as_takeover(found)))
        else:
            return _describe(found)
        if taken is None:
            return _describe(self._find(self._waiting.call))
        self._lease = taken
        self._thread = self._context.notifier.start_thread("target", self._renew_all)
        return None

    def _try(self, take: Callable[[], Manifest]) -> Manifest | None:
        """Return what `take` returns; None if another run was faster."""
        try:
            return take()
        except Refused as error:
            if error.status not in {CONFLICT, NOT_FOUND}:
                raise
            return None

    def _as_takeover(self, found: Manifest) -> Manifest:
        """Return the patch that makes the Lease, as it was found, this run's."""
        wanted, now = self._wanted["metadata"], micro_time()
        old = {key: dict.fromkeys(found["metadata"].get(key) or ()) for key in ("labels", "annotations")}
        metadata = {key: none | wanted[key] for key, none in old.items()}
        metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
        return {"metadata": metadata, "spec": self._wanted["spec"] | {"acquireTime": now, "renewTime": now}}

    def _find_left(self, holder: str | None = None) -> str | None:
        """Return in words something that is left of another run on the target.

        Args:
            holder: The run that has the Lease: of its pods, those that an engine made have no target.
        """
        run_id = self._context.folder.run_id
        others = f"{TARGET}={self._target.name},{RUN}!={run_id},{STORE}!={TURN}"
        for kind in KINDS:
            for each in self._waiting.find(kind, others):
                return _left(kind, each)
        pods = self._waiting.find("Pod", f"{RUN}={holder}") if holder else []
        return next((_left("Pod", each) for each in pods if _may_run(each)), None)

    def _find(self, ask: Callable[[str, str], Any]) -> Manifest | None:
        try:
            found: Manifest = ask("GET", self._path)
        except Refused as error:
            if error.status != NOT_FOUND:
                raise
            return None
        return found

    def _is_own(self, lease: Manifest) -> bool:
        """Tell whether a Lease is this run's, and not that of another run that has the same id."""
        metadata, wanted = lease["metadata"], self._wanted["metadata"]
        return bool(
            lease["spec"].get("holderIdentity") == self._wanted["spec"]["holderIdentity"]
            and (metadata.get("annotations") or {}).get(DRIVER) == wanted["annotations"][DRIVER]
        )

    def confirm(self) -> None:
        """Renew the Lease now; raise PlatformError if it is not this run's any more (``target_lost``)."""
        with map_errors(f"keeping the target {self._target.name}"):
            self._cluster.retry(self._renew)

    def _renew_all(self) -> None:
        while not self._over.wait(self._seconds / RENEWALS_A_LEASE):
            try:
                self._renew()
            except PlatformError as error:
                self._context.control.fail(error)
                return
            except (OSError, Refused):
                continue  # what the run has on the cluster keeps others away, for as long as it lives

    def _renew(self) -> None:
        with self._renewing:
            if self._lease is None:
                return
            body = {
                "metadata": {"resourceVersion": self._lease["metadata"]["resourceVersion"]},
                "spec": {"renewTime": micro_time()},
            }
            try:
                self._lease = self._cluster.ask("PATCH", self._path, body, timeout=max(2.0, self._seconds / 3))
            except Refused as error:
                if error.status not in {CONFLICT, NOT_FOUND}:
                    raise
                found = self._find(self._cluster.ask)
                if found is None or not self._is_own(found):
                    words = f"the target {self._target.name} is lost: {_describe(found)}"
                    raise PlatformError(words, code="target_lost") from None
                self._lease = found  # somebody has changed something else about it

    def close(self) -> None:
        """Give the Lease back; one that cannot be, because the API is away, is taken over when it is stale."""
        self._over.set()
        if self._lease:
            self._thread.join(self._seconds)
            self._lease = None
            with contextlib.suppress(Refused, PlatformError):
                found = self._find(self._cluster.call)
                if found and self._is_own(found):
                    metadata = found["metadata"]
                    same = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
                    self._cluster.call("DELETE", self._path, {"preconditions": same})
        self._cluster.api.close()


class _Sighting:
    """How long a Lease was seen unchanged, by the clock of this process alone: its holder's may be another."""

    def __init__(self) -> None:
        self._record: tuple[object, ...] = ()
        self._since = self._seen = 0.0

    def is_stale(self, lease: Manifest) -> bool:
        """Tell whether its holder has not renewed a Lease for as long as it lasts; to be asked again and again."""
        now, spec = time.monotonic(), lease["spec"]
        record = lease["metadata"]["uid"], spec.get("holderIdentity"), spec.get("renewTime")
        if record != self._record or now > self._seen + STALL_SECONDS:
            self._record, self._since = record, now
        self._seen = now
        return now > self._since + float(spec.get("leaseDurationSeconds") or 0)


def _describe(lease: Manifest | None) -> str:
    """Return in words who has a target."""
    if lease is None:
        return "its Lease was deleted by somebody"
    spec = lease["spec"]
    return f"run {spec.get('holderIdentity')} has it since {spec.get('acquireTime')}"


def _left(kind: str, thing: Manifest) -> str:
    metadata = thing["metadata"]
    return f"{kind.lower()} {metadata['name']} of run {metadata['labels'].get(RUN)} is not gone yet"


def _may_run(pod: Manifest) -> bool:
    """Tell whether a pod has a node, and has not ended."""
    return bool(pod["spec"].get("nodeName")) and pod["status"].get("phase") not in {"Succeeded", "Failed"}
