"""Parts that are imported when they are chosen, and the extras of this package that they need."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def load(where: str) -> Any:
    """Return what ``module:name`` names; the module is imported."""
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)


def missing_extra(extra: str, libraries: Iterable[str]) -> str | None:
    """Return how an extra is installed if a library of it is missing, or None; none is imported for that."""
    is_missing = any(find_spec(library) is None for library in libraries)
    return f"pip install 'windtunnel[{extra}]'" if is_missing else None
