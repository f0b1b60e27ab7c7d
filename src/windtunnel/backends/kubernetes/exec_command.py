"""A command in a step's container: a probe, a stop command."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from websocket import WebSocketException

from windtunnel.backends.base import describe_status
from windtunnel.backends.kubernetes.api import Cluster, Refused, map_errors
from windtunnel.backends.network_probe import Answer
from windtunnel.errors import PlatformError

_ERRORS = 3
"""The stream on which the API tells how a command ended."""
_PIECE_SECONDS = 0.1
Container = tuple[str, str]
"""A pod's name, and the name of a container of it."""
_MISSING = ("executable file not found", "no such file or directory")


def run_command(cluster: Cluster, container: Container, step: str, argv: Sequence[str], seconds: float) -> Answer:
    """Run a command in a container; one that is late runs on until its container ends.

    Raises:
        PlatformError: There is no such command there, this user may not run any, or the API is away for too long.
    """
    with map_errors("running a command in its pod", step):
        answer = cluster.retry(lambda: _run(cluster, container, argv, seconds))
    if any(word in answer.detail for word in _MISSING) and "exec" in answer.detail:
        raise PlatformError(f"{step}: command not found: {argv[0]}, in its image", code="command_not_found", step=step)
    return answer


def _run(cluster: Cluster, container: Container, argv: Sequence[str], seconds: float) -> Answer:
    """Run it once (OSError if the connection is lost before it has ended, Refused if this user may not)."""
    deadline = time.monotonic() + seconds
    try:
        streams = cluster.execute(*container, list(argv))
    except Refused as error:
        if error.is_final:
            raise
        return Answer(ok=False, detail=error.message)
    output = ""
    try:
        while streams.is_open() and time.monotonic() < deadline:
            streams.update(timeout=_PIECE_SECONDS)
            output = (output + streams.read_stdout(timeout=0) + streams.read_stderr(timeout=0))[-4096:]
        if streams.is_open():
            return Answer(ok=False, detail=f"no answer within {seconds:.3g} s", is_late=True)
        told = streams.read_channel(_ERRORS)
    except WebSocketException as error:
        raise OSError(str(error)) from None
    finally:
        streams.close()
    if not told:
        raise OSError("the connection was closed")
    return _answer(json.loads(told), output)


def _answer(told: Any, output: str) -> Answer:
    if told.get("status") == "Success":
        return Answer(ok=True, detail=_with_last_line(describe_status(0), output))
    causes = (told.get("details") or {}).get("causes") or []
    codes = [each["message"] for each in causes if each.get("reason") == "ExitCode"]
    if codes:
        return Answer(ok=False, detail=_with_last_line(describe_status(int(codes[0])), output))
    return Answer(ok=False, detail=str(told.get("message") or "nobody knows how it ended"))


def _with_last_line(text: str, output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return f"{text}: {lines[-1]}" if lines else text
