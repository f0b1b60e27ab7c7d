"""Questions over the network to a server: one try, one answer."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from windtunnel.backends.base import Address
from windtunnel.plan import Probe


@dataclass(frozen=True)
class Answer:
    """Whether a probe succeeded, what it saw, in words, and whether its time was too short."""

    ok: bool
    detail: str
    is_late: bool = False


_PATH_CHARACTERS = "/?:@!$&'()*+,;=%~-._#"
"""What stands in a request's target as it is; all else is percent-encoded (RFC 3986)."""
CommandProbe = Callable[[tuple[str, ...], float], Answer]
"""Runs a command where the server runs, for at most so many seconds."""


def ask(probe: Probe, address: Address, log: Path, run_command: CommandProbe, timeout: float) -> Answer:
    """Ask once.

    Args:
        probe: The question.
        address: The server's address; the probe may name another port.
        log: The server's output, for a log probe.
        run_command: How a command probe is run there.
        timeout: Seconds that the answer may take.
    """
    port = probe.port or address.port or 0
    if probe.kind == "http":
        return _http(address.host, port, probe.target, timeout)
    if probe.kind == "tcp":
        return _tcp(address.host, port, timeout)
    if probe.kind == "log":
        return _log(log, probe.target)
    return run_command(probe.command, timeout)


def describe(probe: Probe, address: Address) -> str:
    """Return the question in words, as it stands in messages."""
    place = f"{address.host}:{probe.port or address.port}"
    if probe.kind == "http":
        return f"GET http://{place}{probe.target}"
    if probe.kind == "tcp":
        return f"connecting to {place}"
    if probe.kind == "log":
        return f"the log line /{probe.target}/"
    return f"the command `{' '.join(probe.command)}`"


def _http(host: str, port: int, path: str, timeout: float) -> Answer:
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


def _shut(connection: http.client.HTTPConnection) -> None:
    with contextlib.suppress(OSError):
        if connection.sock:
            connection.sock.shutdown(socket.SHUT_RDWR)


def _tcp(host: str, port: int, timeout: float) -> Answer:
    try:
        with socket.create_connection((host, port), timeout):
            return Answer(ok=True, detail="connected")
    except OSError as error:
        return _failed(error, timeout)


def _log(log: Path, pattern: str) -> Answer:
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    if re.search(pattern, text, re.MULTILINE):
        return Answer(ok=True, detail="found")
    return Answer(ok=False, detail="not in the output so far")


def _late(timeout: float) -> Answer:
    return Answer(ok=False, detail=f"no answer within {timeout:.3g} s", is_late=True)


def _failed(error: Exception, timeout: float) -> Answer:
    if isinstance(error, TimeoutError):
        return _late(timeout)
    return Answer(ok=False, detail=str(getattr(error, "strerror", None) or error or type(error).__name__).lower())
