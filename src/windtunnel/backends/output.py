"""What backends that hear of changes share: waits are woken, and output is written as it comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from windtunnel.backends.notifier import Notifier
from windtunnel.run.control import Control
from windtunnel.run.threads import start_thread

SILENT_SECONDS = 10.0
"""How long a container that has ended may be silent before the rest of its output is not waited for any more."""
NO_END = "the end of its output did not come"


class Changes:
    """A wait for conditions, which are asked after each change. Any thread may wait, or tell of a change.

    Args:
        control: The run's; it fails if a thread of these changes does.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._changed = threading.Condition()

    def start_thread(self, name: str, work: Callable[[], None]) -> threading.Thread:  # noqa: TID251 - a type
        """Start a thread of the run, whose end is a change."""
        return start_thread(self._control, name, work, self.notify)

    def notify(self) -> None:
        """Wake all who wait: something has changed."""
        with self._changed:
            self._changed.notify_all()

    def wait_change(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until `condition` holds, asked after each change; tell whether it does."""
        with self._changed:
            return self._changed.wait_for(condition, seconds)


class OutputFile:
    """A container's output, which is appended to a file as it comes.

    Args:
        path: The file.
        changes: Told of the end of the output.

    Attributes:
        path: The file.
        has_ended: Whether it is all there.
        problem: Why it could not be written, if so.
    """

    def __init__(self, path: Path, changes: Changes | Notifier) -> None:
        self.path = path
        self.has_ended = False
        self.problem: str | None = None
        self._changes = changes
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
        self._changes.notify()
