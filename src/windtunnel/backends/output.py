"""A container's output, which is appended to a file as it comes."""

from __future__ import annotations

import time
from pathlib import Path

from windtunnel.backends.notifier import Notifier

SILENT_SECONDS = 10.0
"""How long a container that has ended may be silent before the rest of its output is not waited for any more."""
NO_END = "the end of its output did not come"


class OutputFile:
    """A container's output, which is appended to a file as it comes.

    Args:
        path: The file.
        notifier: Told of the end of the output.

    Attributes:
        path: The file.
        has_ended: Whether it is all there.
        problem: Why it could not be written, if so.
    """

    def __init__(self, path: Path, notifier: Notifier) -> None:
        self.path = path
        self.has_ended = False
        self.problem: str | None = None
        self._notifier = notifier
        self._heard_at = 0.0
        self._file = path.open("ab", buffering=0)

    def is_awaited(self, died_at: float) -> bool:
        """Tell whether more may come of what ended at that moment of the monotonic clock: much takes its time."""
        return not self.has_ended and time.monotonic() < max(died_at, self._heard_at) + SILENT_SECONDS

    def trouble(self, *, is_over: bool) -> str | None:
        """Return what the file lacks, if anything, when nobody waits any more; `is_over` if the container has ended."""
        if self.problem:
            return f"its output could not be written: {self.problem}"
        return NO_END if is_over and not self.has_ended else None

    def _write(self, piece: bytes) -> None:
        """Append a piece; that it cannot be written is remembered, not raised.

        The output is read on all the same: a program whose output nobody takes would stand still.
        """
        self._heard_at = time.monotonic()
        try:
            while piece:
                piece = piece[self._file.write(piece) :]
        except OSError as error:
            self.problem = self.problem or error.strerror

    def _end(self) -> None:
        self._file.close()
        self.has_ended = True
        self._notifier.notify()
