"""Other programs, started with what they print kept for the error message."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_TAIL = 12


class Failed(Exception):
    """Something did not work; the text says what, and what to do."""


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    given: str | None = None,
    timeout: float | None = None,
) -> str:
    """Run a program to its end and return its standard output.

    Raises:
        Failed: It is not installed, ended with an error, or took longer than ``timeout`` seconds.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env=os.environ | (env or {}),
            input=given,
            stdin=None if given is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise Failed(f"{words[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{shown(words)}: not done in {timeout:.0f} s") from error
    if done.returncode:
        raise Failed(f"{shown(words)}: exit {done.returncode}\n{tail(done.stderr or done.stdout)}")
    return done.stdout


def succeeds(command: Sequence[str | Path], *, timeout: float | None = None) -> bool:
    """Say whether a program ends well."""
    try:
        run(command, timeout=timeout)
    except Failed:
        return False
    return True


def shown(words: Sequence[str]) -> str:
    """Shorten a command to what a reader recognises."""
    line = " ".join(Path(words[0]).name if i == 0 else word for i, word in enumerate(words))
    return line if len(line) <= 120 else line[:117] + "..."


def tail(text: str, lines: int = _TAIL) -> str:
    """Return the last lines, indented."""
    return "\n".join(f"    {line}" for line in text.strip().splitlines()[-lines:])


def wait_until(what: str, holds: Callable[[], bool], seconds: float, every: float = 0.2) -> None:
    """Wait for something to become true.

    Raises:
        Failed: It did not in time.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not in {seconds:.0f} s")
        time.sleep(every)
