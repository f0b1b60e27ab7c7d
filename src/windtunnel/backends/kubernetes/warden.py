"""The warden of a run on a cluster: made first, kept alive by the driver, gone with all that it owns."""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from windtunnel.backends.kubernetes import manifests
from windtunnel.backends.kubernetes.api import API_LOST, NOT_FOUND, OUTAGE_SECONDS, Cluster, Refused, map_errors
from windtunnel.backends.kubernetes.diagnosis import Diagnosis, check_own, to_error
from windtunnel.backends.kubernetes.manifests import WardenSpec
from windtunnel.backends.kubernetes.naming import PART, WARDEN, Naming
from windtunnel.backends.kubernetes.pods import PodView
from windtunnel.backends.kubernetes.resources import KINDS, each_of
from windtunnel.backends.kubernetes.run_manifests import warden_belongings
from windtunnel.backends.kubernetes.settings import ACCOUNT
from windtunnel.backends.kubernetes.watcher import Watcher
from windtunnel.errors import PlatformError
from windtunnel.run.control import POLL_SECONDS

RENEWALS_A_LEASE = 6
UNATTENDED_SECONDS = 15.0
"""How long a Job without a running pod, which nobody extends, outlives its lease: a pull or a node may take a while."""
GONE_SECONDS = 60.0
HURRIED_GONE_SECONDS = 10.0
"""The same when somebody is in a hurry."""
_LOOK_SECONDS = 0.1
_GRACE_SECONDS = 1


class Warden:
    """A run's warden, and the thread that renews its lease.

    Args:
        cluster: Where.
        naming: The run's names.
        spec: Its image, deadline and lease.
        watcher: Tells of its pod, and is told when it is lost.

    Attributes:
        naming: The run's names, with the owner of everything.
        key: The run's key.
        address: The hub's.
        created: How many objects it consists of.

    Raises:
        PlatformError: The API refuses; what was made until then goes by itself.
    """

    def __init__(self, cluster: Cluster, naming: Naming, spec: WardenSpec, watcher: Watcher) -> None:
        self._cluster, self._spec, self._lease, self._watcher = cluster, spec, spec.lease, watcher
        self._diagnosis = Diagnosis(cluster)
        self.created = 0
        self.address = ""
        self.key = secrets.token_bytes(32)
        self._over = threading.Event()
        self._lost: PlatformError | None = None
        self._began = time.monotonic()
        self._is_attended = False
        self.naming = naming
        self._check_account()
        name, self._who = naming.home, f"the run's {naming.title}"
        with map_errors(f"making {self._who}"):
            lease_path = cluster.path("Lease", name)
            job = cluster.create(manifests.warden_job(naming, spec, lease_path, self._seconds()))
            self.naming = replace(naming, owner=manifests.owner_reference(job))
            try:
                self._make_belongings()
            except BaseException:
                self._cluster.delete("Job", name)
                raise
        self._alive = self._renewed = time.monotonic()
        self._thread = watcher.notifier.start_thread("lease", self._renew_all)

    def _make_belongings(self) -> None:
        made = [self._cluster.create(thing) for thing in warden_belongings(self.naming, self.key, self._lease)]
        self.address = str(made[-1]["spec"]["clusterIP"])
        self.created = 1 + len(made)

    def _check_account(self) -> None:
        try:
            with map_errors("looking at the cluster"):
                try:
                    self._cluster.call("GET", self._cluster.path("ServiceAccount", ACCOUNT))
                except Refused as error:
                    if error.status != NOT_FOUND:
                        raise
                    raise PlatformError(
                        f"namespace {self._cluster.namespace} of {self._cluster.context} has no service account"
                        f" {ACCOUNT}; make it once: windtunnel install kubernetes"
                        f" --namespace {self._cluster.namespace}",
                        code="not_installed",
                    ) from None
        except PlatformError as error:
            # Who may start pods need not be allowed to look at accounts.
            if error.code != "forbidden":
                raise

    def check(self) -> None:
        """Raise PlatformError if the warden is lost: its lease, or its pod."""
        self._tick()
        if time.monotonic() > self._renewed + max(OUTAGE_SECONDS, self._lease):
            self._lose("the cluster's API does not answer: the lease could not be renewed", API_LOST)
        if self._lost:
            raise self._lost
        pods = self._pods()
        for view in pods:
            if trouble := self._diagnosis.of_pod(view):
                raise to_error(self._who, trouble)
            check_own(view, [WARDEN])
            if ended := view.terminated(WARDEN):
                words = f"{self._who} ended with status {ended.get('exitCode')}: {ended.get('message', '')}"
                raise PlatformError(words.rstrip(": "), code="warden_lost")
        if not pods and (trouble := self._diagnosis.of_job(self.naming.home)):
            raise to_error(self._who, trouble)

    def is_ending(self) -> bool:
        """Tell whether its pod is on its way out."""
        return any(view.is_ending for view in self._pods())

    def running_pod(self) -> str | None:
        """Return the name of its pod, if that runs."""
        return next((view.name for view in self._pods() if view.is_running(WARDEN) and not view.is_removed), None)

    def await_pod(self, check: Callable[[], None]) -> str:
        """Return the name of its pod once it runs; `check` is called meanwhile, and raises if it never will."""
        while (pod := self.running_pod()) is None:
            self._watcher.notifier.wait(lambda: self.running_pod() is not None, POLL_SECONDS)
            check()
        return pod

    def _pods(self) -> list[PodView]:
        return [view for view in self._watcher.views().values() if PART in view.labels]

    def close(self) -> None:
        """Remove everything of the run; return when it is gone, or after a minute."""
        self._over.set()
        self._thread.join(self._lease)
        deadline = time.monotonic() + GONE_SECONDS
        # Pods first, and at once: left to the Job's end they would have their full grace, though
        # those that still had something to say were asked for it before.
        for kind in KINDS:
            query = {"labelSelector": self.naming.made}
            options = {"gracePeriodSeconds": _GRACE_SECONDS, "propagationPolicy": "Background"}
            try:
                self._cluster.call("DELETE", self._cluster.path(kind), options, query)
            except Refused:
                # Kubernetes' own collector takes what may not be deleted at once.
                continue
        # The first thing that is still there is enough to know.
        while any(self._remaining(self.naming.made)) and time.monotonic() < deadline:
            if self._cluster.patience.is_urgent():
                deadline = min(deadline, time.monotonic() + HURRIED_GONE_SECONDS)
            time.sleep(_LOOK_SECONDS)

    def left(self, *, steps_only: bool = False) -> list[str]:
        """Return what the cluster has of this run, by kind and name; the run's own objects too unless `steps_only`."""
        return list(self._remaining(self.naming.made + (f",!{PART}" if steps_only else "")))

    def _remaining(self, selector: str) -> Iterator[str]:
        """Yield what the cluster has with some labels, kind by kind."""
        yield from (f"{kind.lower()} {each['metadata']['name']}" for kind, each in each_of(self._cluster, selector))

    def _renew_all(self) -> None:
        while not self._over.wait(self._lease / RENEWALS_A_LEASE):
            self._tick()
            try:
                self._renew()
                self._extend()
            except OSError:
                continue
            except Refused as error:
                if error.is_final:
                    self._lose(f"{error.message}; renew the rights: windtunnel install kubernetes", error.code)
                    return

    def _tick(self) -> None:
        """Notice that this process stood still for longer than its lease, whatever it finds when it goes on."""
        now = time.monotonic()
        if now > self._alive + self._lease:
            self._lose(f"the lease was not renewed for {self._lease:g} s, so the run has been ended", "lease_lost")
        self._alive = now

    def _renew(self) -> None:
        body = {"spec": {"renewTime": manifests.micro_time()}}
        try:
            self._ask("PATCH", "Lease", body)
        except Refused as error:
            if error.status != NOT_FOUND:
                raise
            self._lose("the run's lease is gone: somebody has ended the run, or its warden has", "lease_lost")
        self._renewed = time.monotonic()

    def _extend(self) -> None:
        """Give the Job more time. As long as its pod does not run, nobody but its deadline watches the driver."""
        if not self._is_attended:
            is_running = self.running_pod() is not None
            self._ask("PATCH", "Job", {"spec": {"activeDeadlineSeconds": self._seconds(is_running=is_running)}})
            self._is_attended = is_running

    def _seconds(self, *, is_running: bool = False) -> int:
        """Return the Job's deadline, counted from its start."""
        unattended = time.monotonic() - self._began + self._lease + UNATTENDED_SECONDS
        return math.ceil(self._spec.seconds if is_running else min(unattended, self._spec.seconds))

    def _ask(self, method: str, kind: str, body: object) -> None:
        path = self._cluster.path(kind, self.naming.home)
        self._cluster.ask(method, path, body, timeout=max(2.0, self._lease / 3))

    def _lose(self, message: str, code: str) -> None:
        if not self._lost and not self._over.is_set():
            self._lost = PlatformError(message, code=code)
            self._cluster.patience.is_lost = code == API_LOST
            self._watcher.notifier.notify()
