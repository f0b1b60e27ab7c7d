"""Why a run ended as it did, in the places where Argo's users look: a node's message, and an output parameter.

Argo takes the message of a pod that failed from its container's last word, and the message of a
workflow whose `main` went through from its exit handler's pod.
"""

from __future__ import annotations

import ast
import base64
import json
from pathlib import Path

from windtunnel.errors import ExitCode, WindtunnelError
from windtunnel.run.record import RunRecord

LAST_WORD = Path("/dev/termination-log")
"""Where Kubernetes reads what a container says at its end."""
_MOST = 1000
"""Characters; Kubernetes takes 4 KiB, and a table's row is one line."""


def words_of(code: str, message: str) -> str:
    """Return a cause as one line."""
    text = " ".join(f"{code}: {message}".split())
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"


def cause_of(record: RunRecord) -> str:
    """Return why a run's exit code is not 0; nothing if it is."""
    if not record.exit_code:
        return ""
    if record.cause:
        return words_of(record.cause.code, record.cause.message)
    if record.exit_code == ExitCode.LEFT_BEHIND:
        return words_of("left_behind", ", ".join(record.resources.left))
    return words_of(record.validity or record.status, "; ".join(record.reasons))


def as_known(error: Exception) -> WindtunnelError:
    """Return an error as it is told: of one that nobody thought of, its kind alone, since its words may be anything."""
    if isinstance(error, WindtunnelError):
        return error
    return WindtunnelError(f"a bug of Windtunnel's: {type(error).__name__}; the log has more")


def failure_of(failures: str) -> str | None:
    """Return what Argo says of the first pod that failed; None if none did.

    Args:
        failures: The variable ``workflow.failures`` in base64: JSON as Go quotes a string, which Python reads too.
            Templates of an older version do not give it.
    """
    if not failures:
        return None
    try:
        found = json.loads(ast.literal_eval(base64.b64decode(failures).decode()))
    except (ValueError, SyntaxError):
        return "a pod failed"
    if not found:
        return None
    told = [each for each in found if each.get("message") and each.get("podName")] or found
    return f"{told[0].get('displayName')}: {told[0].get('message')}"


def leave(words: str) -> None:
    """Say something as this container's last word."""
    if LAST_WORD.exists():
        LAST_WORD.write_text(words, encoding="utf-8")
