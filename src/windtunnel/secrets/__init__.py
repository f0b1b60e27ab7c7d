"""Secrets: which names and texts have them, and the one home of all that keeps them out of what is written or shown."""

from windtunnel.secrets.commands import find_in_command, find_in_line, has_secret
from windtunnel.secrets.documents import MATRIX_OWN, is_secret_place, key_path
from windtunnel.secrets.names import is_secret
from windtunnel.secrets.redaction import REDACTED, Redaction

__all__ = [
    "MATRIX_OWN",
    "REDACTED",
    "Redaction",
    "find_in_command",
    "find_in_line",
    "has_secret",
    "is_secret",
    "is_secret_place",
    "key_path",
]
