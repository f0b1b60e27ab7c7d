"""Steps' output and commands beside them: streams of frames on connections of their own.

The SDK hands out the bare socket, of which its HTTP reader may have read the first bytes
already; here the reader that read the header reads the rest.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windtunnel.backends.docker.calls import daemon_words
from windtunnel.backends.docker.warden import Daemon, request
from windtunnel.backends.output import Changes, OutputFile

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


@dataclass(frozen=True)
class Listener:
    """What is done with an answer.

    Attributes:
        take: Called with each piece.
        on_end: Called at the end, whatever it came from.
        changes: Whose thread reads it.
    """

    take: Callable[[bytes], None]
    on_end: Callable[[], None]
    changes: Changes


class Stream:
    """A request whose answer is read to its end by a thread.

    Args:
        daemon: Whom to ask.
        path: What to post to.
        body: What to post.
        listener: What is done with the answer.
    """

    def __init__(self, daemon: Daemon, path: str, body: Any, listener: Listener) -> None:
        self._listener = listener
        self._connection = daemon.connect()
        try:
            self._connection.connect()
            # Once the header is read, the connection no longer tells its socket.
            self._socket: socket.socket = self._connection.sock
            self._answer = request(self._connection, "POST", path, body)
        except BaseException:
            self._connection.close()
            raise
        self._socket.settimeout(None)
        self._thread = listener.changes.start_thread("docker-stream", self._read)

    def close(self) -> None:
        """End the reading, whatever is still to come."""
        with contextlib.suppress(OSError):
            # A TLS socket's own shutdown forgets the keys first: the reader would go on with what is still encrypted.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        self._thread.join()

    def _read(self) -> None:
        try:
            for piece in frames(self._answer):
                self._listener.take(piece)
        except (OSError, http.client.HTTPException, ValueError):
            pass
        finally:
            self._answer.close()
            self._connection.close()
            self._listener.on_end()


class Output(OutputFile):
    """A container's output, written to a file as it comes.

    Args:
        daemon: The daemon.
        container: The container's id; it was created and not started.
        path: The file, which is appended to.
        changes: Told of the end of the output.
    """

    def __init__(self, daemon: Daemon, container: str, path: Path, changes: Changes) -> None:
        super().__init__(path, changes)
        attach = f"/containers/{container}/attach?stream=1&stdout=1&stderr=1"
        try:
            self._stream = Stream(daemon, attach, None, Listener(self._write, self._end, changes))
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Stop reading."""
        self._stream.close()


class Command:
    """A command in a running container.

    Attributes:
        status: Its exit status; None while it runs, or if it was not heard.
        has_ended: Whether it has ended.
    """

    def __init__(self, daemon: Daemon, container: str, argv: Sequence[str], changes: Changes) -> None:
        self.status: int | None = None
        self.has_ended = False
        self._daemon, self._changes = daemon, changes
        self._output = b""
        body = {"Cmd": list(argv), "AttachStdout": True, "AttachStderr": True}
        self._id = daemon.call("POST", f"/containers/{container}/exec", body)["Id"]
        self._stream = Stream(daemon, f"/exec/{self._id}/start", {}, Listener(self._take, self._end, changes))

    @property
    def last_line(self) -> str:
        """The last line that it wrote, or nothing."""
        lines = [line for line in self._output.decode(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip() if lines else ""

    def close(self) -> None:
        """Listen no more. It runs on until its container ends: Docker has no way to end it."""
        self._stream.close()

    def _take(self, piece: bytes) -> None:
        self._output = (self._output + piece)[-_KEPT:]

    def _end(self) -> None:
        with contextlib.suppress(Exception), daemon_words("a command's status"):
            self.status = self._daemon.call("GET", f"/exec/{self._id}/json")["ExitCode"]
        self.has_ended = True
        self._changes.notify()
