"""A way to a server, Docker's daemon or any other, that can be cut, mended and slowed down."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Self

DOCKER = "/var/run/docker.sock"


class Proxy:
    """A TCP port that leads to a server.

    Args:
        target: The server: a socket in the file system, or host and port.
        address: Where it listens.

    Attributes:
        host: What to set ``DOCKER_HOST`` to.
        url: The same, for HTTP.
        sent: How many bytes went to the server.
        pause: Seconds between two pieces of at most 64 KiB on their way to the server.
    """

    def __init__(self, target: str | tuple[str, int] = DOCKER, address: str = "127.0.0.1") -> None:
        self._target = target
        self._listener = socket.create_server((address, 0))
        self.host = f"tcp://{address}:{self._listener.getsockname()[1]}"
        self.url = self.host.replace("tcp", "http")
        self.sent, self.pause = 0, 0.0
        self._open: list[socket.socket] = []
        self._pumps: list[threading.Thread] = []
        self._is_cut = False
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        """Begin to accept."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything."""
        self.pause = 0
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.cut()
        for pump in self._pumps:
            pump.join()
        for end in self._open:
            end.close()

    def cut(self) -> None:
        """Break every connection, and every new one."""
        self._is_cut = True
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let new connections pass again."""
        self._is_cut = False

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self._is_cut:
                    near.close()
                    continue
                self._open.append(near)
                far = socket.socket(socket.AF_UNIX if isinstance(self._target, str) else socket.AF_INET)
                self._open.append(far)
                try:
                    far.connect(self._target)
                except OSError:  # the server is down: so is the way
                    near.shutdown(socket.SHUT_RDWR)
                    continue
                for source, target in ((near, far), (far, near)):
                    self._pumps.append(threading.Thread(target=self._pump, args=(source, target, near), daemon=True))
                    self._pumps[-1].start()

    def _pump(self, source: socket.socket, target: socket.socket, near: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                if source is near:
                    self.sent += len(chunk)
                    time.sleep(self.pause)
                target.sendall(chunk)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
