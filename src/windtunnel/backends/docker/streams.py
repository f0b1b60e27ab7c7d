"""Answers that have no end of their own: a container's output, commands beside it, the daemon's events."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from windtunnel.backends.docker.api import DockerApi, map_errors
from windtunnel.backends.docker.daemon import request
from windtunnel.backends.notifier import Notifier
from windtunnel.backends.output import OutputFile
from windtunnel.errors import PlatformError

_HEADER = struct.Struct(">BxxxL")
_KEPT = 16_384
"""Bytes of a command's output that are kept for its last line."""


def frames(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield what a container writes, both its streams, as it comes (Docker's API, *Stream format*)."""
    while len(header := answer.read(_HEADER.size)) == _HEADER.size:
        _stream, length = _HEADER.unpack(header)
        while length > 0 and (chunk := answer.read1(length)):
            length -= len(chunk)
            yield chunk


def lines(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield the lines of an answer as they come; one that breaks off is none."""
    yield from (line for line in answer if line.endswith(b"\n") and line.strip())


class Stream:
    """A request whose answer is read until it ends, or is closed by another thread.

    Args:
        api: The daemon.
        method: The request's method.
        path: What is asked for.
        body: What is sent.
        split: How the answer is cut.

    Raises:
        DaemonError: The daemon refuses.
        OSError: It does not answer.
    """

    def __init__(
        self,
        api: DockerApi,
        method: str,
        path: str,
        body: Any = None,
        split: Callable[[http.client.HTTPResponse], Iterator[bytes]] = frames,
    ) -> None:
        self._connection = api.connect()
        try:
            self._connection.connect()
            # Once the header is read, the connection no longer tells its socket.
            self._socket: socket.socket = self._connection.sock
            self._answer = request(self._connection, method, path, body)
        except BaseException:
            self._connection.close()
            raise
        self._socket.settimeout(None)
        self._split = split

    def pieces(self) -> Iterator[bytes]:
        """Yield the pieces of the answer; however its end comes, it is the end."""
        pieces = self._split(self._answer)
        try:
            while True:
                try:
                    piece = next(pieces)
                except (StopIteration, OSError, http.client.HTTPException, ValueError):
                    return
                yield piece
        finally:
            self._answer.close()
            self._connection.close()

    def close(self) -> None:
        """End the reading, whatever is still to come."""
        with contextlib.suppress(OSError):
            # A TLS socket's own shutdown forgets the keys first: the reader would go on with what is still encrypted.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class Output(OutputFile):
    """A container's output, written to a file as it comes.

    Args:
        api: The daemon.
        container: The container's id; it was created and not started.
        path: The file, which is appended to.
        notifier: The run's, which hears of the end of the output.
    """

    def __init__(self, api: DockerApi, container: str, path: Path, notifier: Notifier) -> None:
        super().__init__(path, notifier)
        try:
            self._stream = Stream(api, "POST", f"/containers/{container}/attach?stream=1&stdout=1&stderr=1")
        except BaseException:
            self._file.close()
            raise
        self._thread = notifier.start_thread("docker-output", self._read)

    def close(self) -> None:
        """Stop reading."""
        self._stream.close()
        self._thread.join()

    def _read(self) -> None:
        try:
            for piece in self._stream.pieces():
                self._write(piece)
        finally:
            self._end()


class Command:
    """A command in a running container.

    Args:
        api: The daemon.
        container: The container's id.
        argv: The command.
        notifier: The run's, which hears of its end.

    Attributes:
        status: Its exit status; None while it runs, or if it was not heard.
        has_ended: Whether it has ended.
    """

    def __init__(self, api: DockerApi, container: str, argv: Sequence[str], notifier: Notifier) -> None:
        self.status: int | None = None
        self.has_ended = False
        self._api = api
        self._output = b""
        body = {"Cmd": list(argv), "AttachStdout": True, "AttachStderr": True}
        self._id = api.call("POST", f"/containers/{container}/exec", body)["Id"]
        self._stream = Stream(api, "POST", f"/exec/{self._id}/start", {})
        self._thread = notifier.start_thread("docker-command", self._read)

    @property
    def last_line(self) -> str:
        """The last line that it wrote, or nothing."""
        found = [line for line in self._output.decode(errors="replace").splitlines() if line.strip()]
        return found[-1].strip() if found else ""

    def close(self) -> None:
        """Listen no more. It runs on until its container ends: Docker has no way to end it."""
        self._stream.close()
        self._thread.join()

    def _read(self) -> None:
        try:
            for piece in self._stream.pieces():
                self._output = (self._output + piece)[-_KEPT:]
            with contextlib.suppress(PlatformError), map_errors("a command's status"):
                self.status = self._api.call("GET", f"/exec/{self._id}/json")["ExitCode"]
        finally:
            self.has_ended = True
