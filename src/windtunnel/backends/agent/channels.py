"""What a driver and an agent speak over: lines there and lines back. The driver's side."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from typing import IO, Protocol, cast


class Channel(Protocol):
    """A way to an agent's standard input and output. Any thread may write; one reads."""

    def write(self, line: str) -> None:
        """Send a line, which has its end (OSError: the channel is lost)."""

    def lines(self) -> Iterator[str]:
        """Yield what the agent says, until the channel's end (OSError: it is lost)."""

    def words(self) -> str:
        """Return what was said of the channel's end, or nothing; asked once, after it."""

    def close(self) -> None:
        """End the agent's standard input. Again is harmless."""


class Pipe:
    """A channel to a process of this machine.

    Args:
        process: It, with pipes at its standard input and output.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._stdin, self._stdout = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        """Send a line."""
        try:
            with self._lock:
                self._stdin.write(line.encode("ascii"))
                self._stdin.flush()
        except ValueError:
            raise OSError("closed") from None

    def lines(self) -> Iterator[str]:
        """Yield what the process says, until all who could have ended."""
        for line in self._stdout:
            yield line.decode("ascii")

    def words(self) -> str:
        """Return nothing: what went wrong is in a file of the run."""
        return ""

    def close(self) -> None:
        """End the process's standard input."""
        with self._lock, contextlib.suppress(OSError):
            self._stdin.close()

    def close_output(self) -> None:
        """Read no more; nobody may be reading."""
        self._stdout.close()
