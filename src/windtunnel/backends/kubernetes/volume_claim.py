"""A run's folder into a volume claim: through a pod of its own that mounts it, and outlives the run's others."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from secrets import token_hex
from typing import IO

from windtunnel.addresses import ClaimAddress
from windtunnel.backends.agent.places import CLAIM
from windtunnel.backends.kubernetes.agent import PIECE, Agent
from windtunnel.backends.kubernetes.api import NOT_FOUND, Cluster, Refused, connect, map_errors
from windtunnel.backends.kubernetes.manifests import WardenSpec, script
from windtunnel.backends.kubernetes.naming import WARDEN, Naming
from windtunnel.backends.kubernetes.settings import lease_seconds, runner_image
from windtunnel.backends.kubernetes.warden import Warden
from windtunnel.backends.kubernetes.watcher import Watcher
from windtunnel.backends.labels import RunLabels
from windtunnel.backends.notifier import Notifier
from windtunnel.errors import PlatformError
from windtunnel.plan import Plan
from windtunnel.run.control import Control, GracePeriod
from windtunnel.run.folder import RunFolder
from windtunnel.run.upload import Upload, chunks

_MOST_SECONDS = 7 * 86_400.0
"""When its pod ends at the latest, whatever its driver does."""
_DENIED = ("Permission denied", "Operation not permitted")
_HINT = "; it is written by user and group 65534 (nobody): allow them to, or choose another folder"


class _Over(Exception):
    """The upload was given up."""


class ClaimUpload(Upload):
    """Sends a run's folder to a volume claim, piece by piece, verified there.

    Args:
        folder: The run.
        store: Where runs are kept; this one gets a folder of its own, its id.
        control: Asked until the claim is mounted.

    Raises:
        PlatformError: There is no such claim, or no pod gets it (``store_failed``).
        TimedOut, Cancelled: As the control says.
    """

    def __init__(self, folder: RunFolder, store: ClaimAddress, control: Control) -> None:
        super().__init__(folder, str(store.below(folder.run_id)))
        self._store = store
        self._place = CLAIM / store.path / folder.run_id
        self._sent: dict[str, str] = {}
        self._opening: Control | None = control
        self._closing = contextlib.ExitStack()  # the last that was made is closed first
        with self._words():
            try:
                self._open(folder, control)
            except BaseException:
                self._closing.close()
                raise
        self._opening = None

    def _open(self, folder: RunFolder, control: Control) -> None:
        cluster = connect()
        _check_claim(cluster, self._store.claim)
        plan = Plan.from_json(json.loads((folder.path / "plan.json").read_text(encoding="utf-8")))
        naming = Naming.of(RunLabels(folder.run_id, plan, time.time() + _MOST_SECONDS), token_hex(2))
        self._watcher = Watcher(Notifier(control), cluster, naming.selector)
        self._closing.callback(self._watcher.close)
        spec = WardenSpec(runner_image(), _MOST_SECONDS, lease_seconds(), self._store.claim)
        self._warden = Warden(cluster, naming, spec, self._watcher)
        self._closing.callback(self._warden.close)
        self._agent = Agent(
            cluster, lambda: self._warden.await_pod(self._check), script("agent.request_handlers"), WARDEN
        )
        self._closing.callback(self._agent.close)
        self._agent.look_file(str(self._place), 0)

    def _check(self) -> None:
        self._watcher.check()
        self._warden.check()
        if self._opening:
            self._opening.check()

    def send(self, control: Control | GracePeriod, *, but: Sequence[str] = ()) -> None:
        """Send what is not stored as it is now, the record last."""
        with self._words():
            super().send(control, but=but)

    def close(self) -> list[str]:
        """Remove the pod that writes to the claim."""
        with self._words():
            self._closing.close()
            return self._warden.left()

    def _send(self, path: Path, name: str, is_over: threading.Event) -> None:
        def check() -> None:
            if is_over.is_set():
                raise _Over

        target = str(self._place / name)
        with path.open("rb") as file, contextlib.suppress(_Over):
            size = path.stat().st_size  # what is written meanwhile is sent the next time
            digest = _digest(file, size)
            if self._sent.get(name) == digest:
                return
            there = self._agent.look_file(target, size)
            if there.sha256 != digest:
                begin = there.part if there.part <= size and _digest(file, there.part) == there.part_sha256 else 0
                file.seek(0)
                self._agent.send_file(target, file, size, check, begin)
            self._sent[name] = digest

    @contextlib.contextmanager
    def _words(self) -> Iterator[None]:
        try:
            yield
        except PlatformError as error:
            hint = _HINT if any(word in error.message for word in _DENIED) else ""
            raise PlatformError(f"{self._store}: {error.message}{hint}", code="store_failed") from None


def _check_claim(cluster: Cluster, name: str) -> None:
    """Raise PlatformError if there is no such claim, or its volume is lost; one that waits for a pod is fine."""
    with map_errors(f"looking at the claim {name}"):
        try:
            claim = cluster.call("GET", cluster.path("PersistentVolumeClaim", name))
        except Refused as error:
            if error.is_final:
                return  # who may make pods need not be allowed to look at claims
            if error.status != NOT_FOUND:
                raise
            where = f"namespace {cluster.namespace} of {cluster.context}"
            raise PlatformError(f"there is no claim {name!r} in {where}; make it, or correct its name") from None
    if "deletionTimestamp" in claim["metadata"]:
        raise PlatformError("the claim is being deleted")
    if claim["status"].get("phase") == "Lost":
        raise PlatformError("the claim has lost its volume")


def _digest(file: IO[bytes], size: int) -> str:
    """Return the sum of a file's first bytes."""
    file.seek(0)
    digest = hashlib.sha256()
    for piece in chunks(file, PIECE, size):
        digest.update(piece)
    return digest.hexdigest()
