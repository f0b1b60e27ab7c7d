"""Which names say that their value is a secret."""

from __future__ import annotations

import re

_SECRET_NAME = re.compile(r"secret|token|passw|credential|api_?key|access_?key|private_?key", re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Tell whether a variable's name says that its value is secret."""
    return bool(_SECRET_NAME.search(name))
