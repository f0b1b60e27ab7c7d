"""Other programs on the CPU: what starves a step."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

PINNED = "os.sched_setaffinity(0, {0})"
"""A statement of Python by which a program keeps to the CPU that others are busy on."""


@contextlib.contextmanager
def busy(number: int) -> Iterator[None]:
    """Have so many programs keep one CPU busy."""
    command = [sys.executable, "-c", f"import os; {PINNED}\nwhile True: pass"]
    # In sessions of their own: Linux shares CPU time out by session first (autogroup).
    others = [subprocess.Popen(command, start_new_session=True) for _ in range(number)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()
