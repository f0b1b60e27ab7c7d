"""Work at a step's end that is cut short when somebody is in a hurry."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
HURRY_SECONDS = 1.0
"""How long work may go on then: most of it is done sooner."""


class HurryError(Exception):
    """Somebody asked twice to stop."""


def unhurried(pieces: Iterable[T], is_urgent: Callable[[], bool]) -> Iterator[T]:
    """Yield pieces of work until somebody is in a hurry for too long (HurryError), which is asked before each."""
    deadline: float | None = None
    for piece in pieces:
        if is_urgent():
            deadline = deadline or time.monotonic() + HURRY_SECONDS
            if time.monotonic() >= deadline:
                raise HurryError
        yield piece
