"""Room on the disk that a run keeps for its last word: a disk that is full at the end does not hide how it ended."""

from __future__ import annotations

import errno
import os
from pathlib import Path

LEAST_BYTES = 64 * 1024
BYTES_PER_ITERATION = 1024


class Spare:
    """A hidden file with space of its own, which becomes another file without taking more.

    Args:
        path: The file, which is made.
        iterations: Number of the run's iterations: each makes the record longer.

    Raises:
        OSError: There is no room on the disk.
    """

    def __init__(self, path: Path, iterations: int) -> None:
        self._path = path
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, LEAST_BYTES + BYTES_PER_ITERATION * iterations)

    def become(self, target: Path, text: str) -> None:
        """Put a text into the reserved space, and that at `target`, whole or not at all (OSError if it is too long)."""
        data = text.encode(errors="replace")
        with self._path.open("r+b", buffering=0) as file:
            if len(data) > os.fstat(file.fileno()).st_size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            file.write(data)
            file.truncate()
        self._path.replace(target)

    def remove(self) -> None:
        """Give the space back."""
        self._path.unlink(missing_ok=True)
