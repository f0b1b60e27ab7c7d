"""Questions to a server: one try, one answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from windtunnel.backends.asking import Answer, ask_http, ask_tcp
from windtunnel.backends.base import Address
from windtunnel.plan import Probe

__all__ = ["Answer", "CommandProbe", "ask", "describe"]

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
        return ask_http(address.host, port, probe.target, timeout)
    if probe.kind == "tcp":
        return ask_tcp(address.host, port, timeout)
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


def _log(log: Path, pattern: str) -> Answer:
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    if re.search(pattern, text, re.MULTILINE):
        return Answer(ok=True, detail="found")
    return Answer(ok=False, detail="not in the output so far")
