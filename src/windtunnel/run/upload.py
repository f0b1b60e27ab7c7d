"""A run's folder into a store: what is there already is not sent again, and what was sent is verified."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from windtunnel.errors import ExitCode, PlatformError
from windtunnel.run.control import Control, GracePeriod, run_cancellable
from windtunnel.run.folder import RECORD, RunFolder
from windtunnel.run.record import RunRecord
from windtunnel.run.record import Upload as UploadState

_LEFT_OUT = "work"
"""Folder of running steps: it goes when they do."""


class Upload(ABC):
    """Sends a run's folder, as often as it is asked to.

    Args:
        folder: The run.
        target: Where it is kept.

    Attributes:
        target: The store's address of the run.
    """

    def __init__(self, folder: RunFolder, target: str) -> None:
        self._folder = folder.path
        self.target = target
        self._lock = threading.Lock()

    def send(self, control: Control | GracePeriod, *, but: Sequence[str] = ()) -> None:
        """Send every file that is not stored as it is now, the record last: it never tells of what is missing.

        Args:
            control: Asked while it goes on; what was sent until then stays.
            but: Files that are left out, relative to the folder.

        Raises:
            PlatformError: The store refuses, does not answer, or has stored something else (``store_failed``).
            TimedOut, Cancelled: As the control says.
        """
        is_over = threading.Event()
        try:
            run_cancellable(control, lambda: self._send_all(but, is_over))
        finally:
            is_over.set()

    def close(self) -> list[str]:
        """Close the way to the store; return the names of what was made to reach it and is still there."""
        return []

    def _send_all(self, but: Sequence[str], is_over: threading.Event) -> None:
        with self._lock:  # one that was given up ends with its part
            for path in _files(self._folder):
                name = path.relative_to(self._folder).as_posix()
                if is_over.is_set():
                    return
                if name not in but:
                    try:
                        self._send(path, name, is_over)
                    except OSError as error:
                        raise PlatformError(f"{path}: {error.strerror}", code="store_failed") from None

    @abstractmethod
    def _send(self, path: Path, name: str, is_over: threading.Event) -> None:
        """Send a file, unless the store has it as it is now; return early when `is_over` is set (PlatformError)."""


def _files(folder: Path) -> list[Path]:
    """Return what is to be stored of a run, its record last."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    kept = [path for path in files if path.relative_to(folder).parts[0] != _LEFT_OUT and not _is_partial(path)]
    return sorted(kept, key=lambda path: (path == folder / RECORD, path))


def _is_partial(path: Path) -> bool:
    return path.name.startswith(".") and path.suffix == ".tmp"


def chunks(file: IO[bytes], part: int, size: int | None = None) -> Iterator[bytes]:
    """Yield a file's content (its first `size` bytes) in parts; an empty file is one part."""
    rest = float("inf") if size is None else size
    data = file.read(int(min(part, rest)))
    while True:
        yield data
        rest -= len(data)
        if not rest or not (data := file.read(int(min(part, rest)))):
            return


def upload_run(folder: RunFolder, record: RunRecord, upload: Upload, control: Control) -> None:
    """Send a run that is over, and write into its record that it is stored.

    A run that had failed only because it could not be stored has not failed any more.

    Args:
        folder: The run.
        record: Its record, which is changed.
        upload: What sends it.
        control: Asked while it goes on.

    Raises:
        PlatformError: The store cannot be written (``store_failed``).
        Cancelled: As the control says.
    """
    upload.send(control, but=(RECORD,))
    if record.cause and record.upload and record.cause.message == record.upload.error:
        record.cause = None
        record.exit_code = int(ExitCode.LEFT_BEHIND if record.resources.left else ExitCode.OK)
        record.status = "succeeded"
    record.upload = UploadState(url=upload.target, complete=True)
    folder.write_record(record)
    upload.send(control)
