"""The Docker daemon as a run asks it: calls, archives of a container's files, and refusals in our words."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import PurePosixPath
from typing import IO, Any
from urllib.parse import quote

from windtunnel.backends.docker.daemon import NOT_FOUND, Daemon, DaemonError, answer_of
from windtunnel.backends.docker.warden_client import DAEMON_LOST
from windtunnel.errors import PlatformError

CALL_SECONDS = 120.0
"""How long the daemon may send nothing."""
IS_FOLDER, IS_LINK = 1 << 31, 1 << 27
"""Bits of a mode as Go's *io/fs* writes it."""
_PIECE = 1 << 16
_STAT = "X-Docker-Container-Path-Stat"


class DockerApi(Daemon):
    """A Docker daemon that is asked on a connection for each call, from any thread."""

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What the daemon tells of its version: ``ApiVersion``, ``Arch`` and more."""
        return dict(self.call("GET", "/version"))

    @property
    def version(self) -> tuple[int, ...]:
        """The version of its API, such as (1, 41)."""
        return tuple(map(int, self.facts["ApiVersion"].split(".")))

    def call(self, method: str, path: str, body: Any = None, timeout: float = CALL_SECONDS) -> Any:
        """Ask the daemon and return its answer's JSON (DaemonError, OSError)."""
        try:
            return super().call(method, path, body, timeout)
        except json.JSONDecodeError as error:
            raise OSError(f"its answer is no JSON: {error}") from None

    def inspect_container(self, container: str) -> Mapping[str, Any]:
        """Return what the daemon knows of a container (DaemonError, OSError)."""
        return dict(self.call("GET", f"/containers/{container}/json"))

    def remove_container(self, container: str) -> None:
        """Remove a container with its own volumes; that it is gone already, or is being removed, is fine (OSError)."""
        with contextlib.suppress(DaemonError):
            self.call("DELETE", f"/containers/{container}?force=1&v=1")

    def stat(self, container: str, path: PurePosixPath | str) -> Mapping[str, Any] | None:
        """Return what a container has at a path: ``mode``, ``linkTarget``; None if nothing (DaemonError, OSError)."""
        try:
            with self.answer("HEAD", _archive(container, path)) as answer:
                return _stat_of(answer)
        except DaemonError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    @contextmanager
    def fetch_archive(
        self, container: str, path: PurePosixPath | str
    ) -> Iterator[tuple[Iterator[bytes], Mapping[str, Any]]]:
        """Lend the pieces of an archive of what a container has at a path, and what `stat` tells of the path.

        The connection is closed with it: while the daemon waits to send the rest, it does not remove the container.

        Raises:
            DaemonError: There is no such container, or nothing at the path.
            OSError: The daemon is gone, or was silent for too long; reading the pieces raises this, too.
        """
        with self.answer("GET", _archive(container, path)) as answer:
            yield _pieces(answer), _stat_of(answer)

    def put_archive(self, container: str, path: PurePosixPath | str, archive: IO[bytes]) -> None:
        """Unpack an archive in a folder of a container (DaemonError, OSError)."""
        with self.answer("PUT", _archive(container, path), archive):
            pass

    @contextmanager
    def answer(self, method: str, path: str, archive: IO[bytes] | None = None) -> Iterator[http.client.HTTPResponse]:
        """Lend an answer that is not read yet (DaemonError, OSError).

        Args:
            method: The request's method.
            path: What is asked for.
            archive: What is sent, if anything.
        """
        connection = self.connect(CALL_SECONDS)
        connection.blocksize = _PIECE
        try:
            # The daemon may refuse before it has read all; what it says then is worth more than that.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, archive, {"Content-Type": "application/x-tar"} if archive else {})
            with contextlib.closing(answer_of(connection)) as answer:
                yield answer
        finally:
            connection.close()


def _archive(container: str, path: PurePosixPath | str) -> str:
    return f"/containers/{container}/archive?path={quote(str(path))}"


def _stat_of(answer: http.client.HTTPResponse) -> Mapping[str, Any]:
    return dict(json.loads(base64.b64decode(answer.headers[_STAT])))


def _pieces(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while piece := answer.read1(_PIECE):
            yield piece
    except http.client.HTTPException as error:
        raise OSError(f"{type(error).__name__}: {error}") from None


@contextmanager
def map_errors(what: str, code: str = "docker_refused", step: str | None = None) -> Iterator[None]:
    """Turn what the daemon, or its absence, raises into a PlatformError.

    Args:
        what: What was asked for, as it stands in the message.
        code: The error's code if the daemon refused.
        step: The step that it was asked for.
    """
    begin = f"{step}: {what}" if step else what
    try:
        yield
    except DaemonError as error:
        raise PlatformError(f"{begin}: {error}", code=code, step=step) from None
    except OSError as error:
        raise PlatformError(f"{begin}: the daemon does not answer: {error}", code=DAEMON_LOST, step=step) from None
