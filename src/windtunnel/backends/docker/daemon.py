"""The Docker daemon, asked over its socket or by TCP with the standard library alone: wardens have nothing else."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

DEFAULT_HOST = "unix:///var/run/docker.sock"
CALL_SECONDS = 30.0
NOT_FOUND, FIRST_ERROR = 404, 400


class DaemonError(Exception):
    """What the daemon refused, in its words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: str, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self.path)
        except OSError:
            self.sock.close()
            raise


class Daemon:
    """A Docker daemon, as the environment names it: ``DOCKER_HOST``, ``DOCKER_TLS_VERIFY``, ``DOCKER_CERT_PATH``.

    Raises:
        ValueError: It is named in a way that this does not know, or its certificates cannot be read.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self.host = environ.get("DOCKER_HOST") or DEFAULT_HOST
        self.url = urlsplit(self.host)
        self.tls: ssl.SSLContext | None = None
        if self.url.scheme not in {"unix", "tcp", "http", "https"}:
            raise ValueError(f"DOCKER_HOST={self.host}: only unix:// and tcp:// are supported; forward the socket")
        try:
            _ = self.url.port
        except ValueError as error:
            raise ValueError(f"DOCKER_HOST={self.host}: {error}") from None
        if self.url.scheme == "https" or (self.url.scheme != "unix" and environ.get("DOCKER_TLS_VERIFY")):
            folder = environ.get("DOCKER_CERT_PATH") or str(Path.home() / ".docker")
            try:
                self.tls = ssl.create_default_context(cafile=f"{folder}/ca.pem")
                self.tls.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
            except OSError as error:
                raise ValueError(f"ca.pem, cert.pem and key.pem in {folder}: {error.strerror}") from None

    def connect(self, timeout: float | None = CALL_SECONDS) -> http.client.HTTPConnection:
        """Return a connection, on which no answer may take longer than `timeout` seconds."""
        if self.url.scheme == "unix":
            return UnixConnection(self.url.path, timeout)
        name, port = self.url.hostname or "localhost", self.url.port
        if self.tls:
            return http.client.HTTPSConnection(name, port or 2376, timeout=timeout, context=self.tls)
        return http.client.HTTPConnection(name, port or 2375, timeout=timeout)

    def call(self, method: str, path: str, body: Any = None, timeout: float = CALL_SECONDS) -> Any:
        """Ask the daemon and return its answer's JSON; its latest API is the one that is spoken.

        Raises:
            DaemonError: It refused.
            OSError: It is not there.
        """
        connection = self.connect(timeout)
        try:
            text = request(connection, method, path, body).read()
        except http.client.HTTPException as error:
            raise OSError(f"{type(error).__name__}: {error}") from None
        finally:
            connection.close()
        return json.loads(text) if text.strip() else None


def request(connection: http.client.HTTPConnection, method: str, path: str, body: Any) -> http.client.HTTPResponse:
    """Send a request and return the answer, not yet read (DaemonError if it is a refusal; OSError)."""
    content = None if body is None else json.dumps(body)
    connection.request(method, path, content, {"Content-Type": "application/json"} if content else {})
    return answer_of(connection)


def answer_of(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
    """Return the answer to a request that was sent, not yet read (DaemonError if it is a refusal; OSError)."""
    try:
        answer = connection.getresponse()
    except http.client.HTTPException as error:
        raise OSError(f"{type(error).__name__}: {error}") from None
    if answer.status >= FIRST_ERROR:
        text = answer.read().decode(errors="replace")
        with contextlib.suppress(ValueError, KeyError, TypeError):
            text = json.loads(text)["message"]
        raise DaemonError(answer.status, text.strip())
    return answer
