"""The driver's side of the agent in the warden's pod."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from windtunnel.backends.agent.client import Client
from windtunnel.backends.agent.places import input_file
from windtunnel.backends.kubernetes.api import API_LOST, NO_RIGHT_SECONDS, OUTAGE_SECONDS, Cluster, Refused
from windtunnel.backends.kubernetes.exec import Exec
from windtunnel.backends.kubernetes.outage import HURRY_SECONDS
from windtunnel.backends.network_probe import Answer
from windtunnel.errors import PlatformError
from windtunnel.run.upload import chunks

PIECE = 1 << 18
SLOWEST = 20 << 20
"""Bytes that a volume reads in a second, at least."""
_PAUSE_SECONDS = 0.2
_ROUND_TRIP_SECONDS = 20.0
"""How long an answer may take beyond what it was asked to wait; after that the connection is taken for dead."""


@dataclass(frozen=True)
class Found:
    """What a pod has of a file.

    Attributes:
        sha256: The sum of the file; None if it is not there in the size that was asked for.
        part: How many bytes have arrived of one that is not whole.
        part_sha256: Their sum.
    """

    sha256: str | None
    part: int
    part_sha256: str | None


class Agent:
    """Asks the agent, over a connection that is made again when it is lost. Any thread may ask.

    Args:
        cluster: The cluster of the run.
        pod: The warden's pod, once it runs; called before each connection, and raises if it will never.
        command: What starts the agent there.
        container: The warden's container.
    """

    def __init__(self, cluster: Cluster, pod: Callable[[], str], command: list[str], container: str) -> None:
        self._cluster, self._pod, self._command, self._container = cluster, pod, command, container
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._is_closed = False

    def probe(self, kind: str, host: str, port: int, target: str, timeout: float) -> Answer:
        """Ask a server once, from the warden's pod."""
        answer = self.ask("probe", timeout, kind=kind, host=host, port=port, target=target, timeout=timeout)
        return Answer(ok=answer["ok"], detail=answer["detail"], is_late=answer["is_late"])

    def result_size(self, name: str, timeout: float) -> int | None:
        """Wait so long for what a step wrote to come, and as long as it takes to arrive.

        Returns:
            Its archive's size in bytes, or None if it did not come.
        """
        answer = self.ask("wait_result", timeout, name=name, timeout=timeout)
        while answer["size"] is None and answer["is_arriving"]:
            answer = self.ask("wait_result", 1, name=name, timeout=1)
        return None if answer["size"] is None else int(answer["size"])

    def read_result(self, name: str, size: int, target: Path, check: Callable[[], None] = lambda: None) -> None:
        """Copy an archive of that size from the hub, `check` called between its pieces; a lost connection costs one."""
        with target.open("wb") as file:
            while (offset := file.tell()) < size:
                check()
                piece = base64.b64decode(self.ask("read_result", 0, name=name, offset=offset, length=PIECE)["data"])
                if not piece:
                    raise PlatformError(f"what {name} wrote has become shorter", code="hub")
                file.write(piece)

    def read_usage(self, name: str, offset: int) -> tuple[str, float]:
        """Return the lines from an offset on, of what a pod uses, and the time of the hub's clock."""
        answer = self.ask("read_usage", 0, name=name, offset=offset)
        return str(answer["lines"]), float(answer["now"])

    def send_input(self, name: str, source: Path, check: Callable[[], None]) -> None:
        """Copy a file to the hub, verified there; `check` is called between its pieces."""
        with source.open("rb") as file:
            self.send_file(str(input_file(name)), file, source.stat().st_size, check)

    def send_file(self, path: str, file: IO[bytes], size: int, check: Callable[[], None], begin: int = 0) -> None:
        """Copy the first `size` bytes of a file, verified there.

        Args:
            path: Where to, in the pod.
            file: The file, at its beginning.
            size: How much of it.
            check: Called between its pieces.
            begin: How much of it is there already, in bytes.
        """
        digest, offset = hashlib.sha256(), 0
        for piece in chunks(file, PIECE, size):
            check()
            digest.update(piece)
            if offset + len(piece) > begin or not size:
                self.ask("write_file", 0, path=path, offset=offset, data=base64.b64encode(piece).decode("ascii"))
            offset += len(piece)
        self.ask("finish_file", size / SLOWEST, path=path, size=offset, sha256=digest.hexdigest())

    def look_file(self, path: str, size: int) -> Found:
        """Return what the pod has of a file of that size."""
        return Found(**self.ask("look_file", size / SLOWEST, path=path, size=size))

    def ask(self, deed: str, seconds: float, **arguments: Any) -> dict[str, Any]:
        """Have something done that takes at most so many seconds, and return the answer.

        Raises:
            PlatformError: It cannot be done, this user may not, or the agent cannot be reached for an outage long.
        """
        began = time.monotonic()
        deadline = began + seconds + OUTAGE_SECONDS
        while True:
            try:
                answer = self._cluster.patience.wait(lambda: self._ask_once(deed, seconds, arguments), seconds)
                break
            except OSError as error:
                problem = str(error)
            except Refused as error:
                # A pod that is just going has no such container; nobody gets a right by asking again.
                if error.is_final and time.monotonic() > began + NO_RIGHT_SECONDS:
                    raise error.to_error("running a command in the warden's pod") from None
                problem = error.message
            if time.monotonic() > deadline or self._is_closed or self._cluster.patience.is_over:
                raise PlatformError(f"the warden's pod cannot be reached: {problem}", code=API_LOST)
            time.sleep(_PAUSE_SECONDS)
        if "error" in answer:
            raise PlatformError(f"the warden's pod cannot {deed.replace('_', ' ')}: {answer['error']}", code="hub")
        return answer

    def close(self) -> None:
        """Ask no more."""
        self._is_closed = True
        # Who just opens one has the lock, and may wait in vain.
        if self._lock.acquire(timeout=HURRY_SECONDS):
            try:
                if self._client:
                    self._client.close()
            finally:
                self._lock.release()

    def _ask_once(self, deed: str, seconds: float, arguments: dict[str, Any]) -> dict[str, Any]:
        client = self._connected()
        try:
            return client.ask(deed, seconds + _ROUND_TRIP_SECONDS, **arguments)
        except TimeoutError:
            client.close()
            raise OSError("no answer") from None

    def _connected(self) -> Client:
        with self._lock:
            if self._is_closed:
                raise OSError("closed")
            if self._client is None or not self._client.is_open:
                streams = self._cluster.execute(self._pod(), self._container, self._command, stdin=True)
                self._client = client = Client(Exec(streams), who="the agent in the pod")
                reader = threading.Thread(target=_read, args=(client,), name="kubernetes-agent", daemon=True)  # noqa: TID251 - see there
                reader.start()
            return self._client


def _read(client: Client) -> None:
    """Read what the agent says; a bug in doing so is raised where an answer is waited for."""
    with contextlib.suppress(Exception):
        client.read()
