"""One try over the network, one answer. The standard library alone: it runs in pods too, by itself."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from dataclasses import dataclass
from urllib.parse import quote

_PATH_CHARACTERS = "/?:@!$&'()*+,;=%~-._#"
"""What stands in a request's target as it is; all else is percent-encoded (RFC 3986)."""

_SHOWN = 80
"""Characters of an answer that is no HTTP that a message has."""


@dataclass(frozen=True)
class Answer:
    """Whether a probe succeeded, what it saw, in words, and whether its time was too short."""

    ok: bool
    detail: str
    is_late: bool = False


def ask_http(host: str, port: int, path: str, timeout: float) -> Answer:
    """GET a path; any status from 200 to 399 is a yes.

    Args:
        host: Name or address.
        port: Port.
        path: With its query.
        timeout: Seconds that the whole answer's head may take.
    """
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    # A socket's timeout is for each read: a server that trickles would never meet it.
    deadline = time.monotonic() + timeout
    closer = threading.Timer(timeout, _shut, [connection])
    closer.daemon = True
    closer.start()
    try:
        connection.request(
            "GET",
            request_target(path),
            headers={"Connection": "close", "User-Agent": "windtunnel-probe"},
        )
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return _late(timeout) if time.monotonic() >= deadline else _failed(error, timeout)
    finally:
        closer.cancel()
        connection.close()
    if time.monotonic() >= deadline:
        # The connection may have been shut within the header, which http.client takes for its end.
        return _late(timeout)
    return answer_status(status)


def request_target(path: str) -> str:
    """Return a path as it stands in a request."""
    return quote(path, safe=_PATH_CHARACTERS)


def answer_status(status: int) -> Answer:
    """Return what an HTTP status means: from 200 to 399 is a yes."""
    return Answer(ok=200 <= status < 400, detail=f"status {status}")  # noqa: PLR2004 - HTTP's own


def ask_tcp(host: str, port: int, timeout: float) -> Answer:
    """Connect, within `timeout` seconds."""
    try:
        with socket.create_connection((host, port), timeout):
            return Answer(ok=True, detail="connected")
    except OSError as error:
        return _failed(error, timeout)


def _shut(connection: http.client.HTTPConnection) -> None:
    with contextlib.suppress(OSError):
        if connection.sock:
            connection.sock.shutdown(socket.SHUT_RDWR)


def _late(timeout: float) -> Answer:
    return Answer(ok=False, detail=f"no answer within {timeout:.3g} s", is_late=True)


def _failed(error: Exception, timeout: float) -> Answer:
    if isinstance(error, TimeoutError):
        return _late(timeout)
    if isinstance(error, http.client.BadStatusLine) and not isinstance(error, http.client.RemoteDisconnected):
        return Answer(ok=False, detail=f"its answer is no HTTP: {str(error).strip()[:_SHOWN]!r}")
    return Answer(ok=False, detail=str(getattr(error, "strerror", None) or error or type(error).__name__).lower())
