"""Secrets do not belong into a run's folder."""

from __future__ import annotations

import re
from collections.abc import Mapping

REDACTED = "[redacted]"
_SECRET_NAME = re.compile(r"secret|token|passw|credential|api_?key|access_?key|private_?key", re.IGNORECASE)


def secrets_in(env: Mapping[str, str]) -> set[str]:
    """Return the values of the variables whose name says that they are secret."""
    return {value for name, value in env.items() if value and _SECRET_NAME.search(name)}


def redact(text: str, secrets: set[str]) -> str:
    """Return `text` without the secret values, the longest replaced first."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return text
