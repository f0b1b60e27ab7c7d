"""Questions to a server: one try, one answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from windtunnel.backends.base import Address
from windtunnel.backends.network_probe import Answer, ask_http, ask_tcp
from windtunnel.patterns import SPAN, TooSlow, find_all
from windtunnel.plan import Probe
from windtunnel.run.output import read_chunks

__all__ = ["OVER_NETWORK", "Answer", "LogReader", "describe", "reach"]

OVER_NETWORK = frozenset({"http", "tcp"})
"""The kinds of probes that are asked over the network."""


class LogReader:
    """Looks for a pattern in logs that grow; what was read before is read again only as far as a match may span."""

    def __init__(self) -> None:
        self._read: dict[Path, int] = {}
        """How many bytes of each log were read."""

    def ask(self, log: Path, pattern: str, timeout: float) -> Answer:
        """Look at what a log has more than the last time, or as much of it as the time is enough for."""
        deadline = time.monotonic() + timeout
        start = max(0, self._read.get(log, 0) - SPAN)

        def pieces() -> Iterator[str]:
            for piece, offset in read_chunks(log, start):
                self._read[log] = offset
                yield piece
                if time.monotonic() >= deadline:
                    return

        try:
            # In the middle of a log the first character may be none with which a line begins.
            if any(True for _match in find_all(pattern, pieces(), begin=min(start, 1))):
                return Answer(ok=True, detail="found")
        except FileNotFoundError:
            pass
        except OSError as error:
            return Answer(ok=False, detail=f"the log cannot be read: {error.strerror}")
        except TooSlow as error:
            return Answer(ok=False, detail=f"the pattern takes too long: {error}")
        return Answer(ok=False, detail="not in the output so far")


def reach(kind: str, host: str, port: int, target: str, seconds: float) -> Answer:
    """Ask once over the network, from here.

    Args:
        kind: ``http`` or ``tcp``.
        host: Name or address.
        port: Port.
        target: The path, of an http probe.
        seconds: How long the answer may take.
    """
    return ask_http(host, port, target, seconds) if kind == "http" else ask_tcp(host, port, seconds)


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
