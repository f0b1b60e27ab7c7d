"""A run's folder into an S3 store: what is there already is not sent again, and what was sent is verified."""

from __future__ import annotations

import hashlib
import math
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from windtunnel.addresses import ObjectAddress
from windtunnel.errors import ExitCode, PlatformError
from windtunnel.run.control import Control, Extension, beside
from windtunnel.run.folder import RECORD, RunFolder
from windtunnel.run.record import RunRecord
from windtunnel.run.record import Upload as UploadState
from windtunnel.run.s3 import Bucket

PART = 16 << 20
_MOST_PARTS = 10_000
_LEFT_OUT = "work"
"""Folder of running steps: it goes when they do."""


class Upload:
    """Sends a run's folder, as often as it is asked to.

    Args:
        folder: The run.
        store: Where runs are kept; this one gets a prefix of its own, its id.
        is_new: Whether nothing of this run can be there yet, so that nobody has to look.
        part: From which size on a file is sent in parts, and how large they are, in bytes.

    Attributes:
        target: Where the run is kept.

    Raises:
        PlatformError: There are no credentials (``store_failed``).
    """

    def __init__(self, folder: RunFolder, store: ObjectAddress, *, is_new: bool = False, part: int = PART) -> None:
        self._folder = folder.path
        self.target = store.below(folder.run_id)
        self._bucket = Bucket(store.bucket, "store_failed")
        self._is_new, self._part = is_new, part
        self._there: dict[str, int] | None = {} if is_new else None
        self._sent: dict[str, str] = {}
        self._begun: dict[str, str] = {}
        self._lock = threading.Lock()

    def send(self, control: Control | Extension, *, but: Sequence[str] = ()) -> None:
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
            beside(control, lambda: self._send_all(but, is_over))
        finally:
            is_over.set()

    def _send_all(self, but: Sequence[str], is_over: threading.Event) -> None:
        with self._lock:  # one that was given up ends with its part
            if self._there is None:
                listing = self._bucket.listing(f"{self.target.key}/")
                self._there = {key: item.size for key, item in listing.items()}
            for path in _files(self._folder):
                name = path.relative_to(self._folder).as_posix()
                if is_over.is_set():
                    return
                if name not in but:
                    try:
                        self._send(path, self.target.below(name).key, is_over)
                    except OSError as error:
                        raise PlatformError(f"{path}: {error.strerror}", code="store_failed") from None

    def _send(self, path: Path, key: str, is_over: threading.Event) -> None:
        with path.open("rb") as file:
            size = path.stat().st_size  # what is written meanwhile is sent the next time
            part = self._part * max(1, math.ceil(size / (self._part * _MOST_PARTS)))
            digests = [hashlib.sha256(data).digest() for data in _pieces(file, part, size)]
            checksum = _combined(digests)
            if self._has(key, size, checksum, part):
                return
            if len(digests) == 1:
                file.seek(0)
                told = self._bucket.put(key, file.read(size), checksum)
            else:
                upload, parts = self._begin(key)
                self._send_parts(key, upload, parts, _Cut(file, size, part, digests), is_over)
                if is_over.is_set():
                    return
                told = self._bucket.finish(key, upload, [parts[n] for n in range(1, len(digests) + 1)])
                del self._begun[key]
        if not self._is_stored(key, told, checksum, part):
            raise PlatformError(
                f"{ObjectAddress(self.target.bucket, key)}: what is stored is not what was sent", code="store_failed"
            )
        self._sent[key] = checksum

    def _begin(self, key: str) -> tuple[str, dict[int, Mapping[str, Any]]]:
        """Return the upload in parts that is to be gone on with, or a new one, and the parts that it has."""
        upload = self._begun.get(key) or (None if self._is_new else self._bucket.unfinished(key))
        parts = self._bucket.parts(key, upload) if upload else {}
        self._begun[key] = upload = upload or self._bucket.begin(key)
        return upload, parts

    def _send_parts(
        self, key: str, upload: str, parts: dict[int, Mapping[str, Any]], cut: _Cut, is_over: threading.Event
    ) -> None:
        """Send what `parts` lacks or has otherwise, and add it there."""
        for number, digest in enumerate(cut.digests, start=1):
            if is_over.is_set():
                return
            checksum = _combined([digest])
            if number not in parts or parts[number].get("ChecksumSHA256") != checksum:
                parts[number] = self._bucket.put_part(key, upload, number, cut.read(number), checksum)

    def _has(self, key: str, size: int, checksum: str, part: int) -> bool:
        if key in self._sent:
            return self._sent[key] == checksum
        if (self._there or {}).get(key) != size:
            return False
        return self._is_stored(key, self._bucket.checksum(key), checksum, part)

    def _is_stored(self, key: str, told: str | None, checksum: str, part: int) -> bool:
        """Tell whether an object has a checksum: by the store's word, or where it tells none, by reading it back."""
        if told and ("-" in told) == ("-" in checksum):
            return told == checksum
        with self._bucket.reading(key) as body:
            return _combined([hashlib.sha256(data).digest() for data in _pieces(body, part)]) == checksum


@dataclass(frozen=True)
class _Cut:
    """A file in parts: its first `size` bytes, and the SHA-256 digest of each part."""

    file: IO[bytes]
    size: int
    part: int
    digests: Sequence[bytes]

    def read(self, number: int) -> bytes:
        """Return a part, counted from 1."""
        begin = (number - 1) * self.part
        self.file.seek(begin)
        return self.file.read(min(self.part, self.size - begin))


def _files(folder: Path) -> list[Path]:
    """Return what is to be stored of a run, its record last."""
    found = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    kept = [path for path in found if path.relative_to(folder).parts[0] != _LEFT_OUT and not _is_partial(path)]
    return sorted(kept, key=lambda path: (path == folder / RECORD, path))


def _is_partial(path: Path) -> bool:
    return path.name.startswith(".") and path.suffix == ".tmp"


def _pieces(file: IO[bytes], part: int, size: int | None = None) -> Iterator[bytes]:
    """Yield a file's content (its first `size` bytes) in parts; an empty file is one part."""
    rest = float("inf") if size is None else size
    data = file.read(int(min(part, rest)))
    while True:
        yield data
        rest -= len(data)
        if not rest or not (data := file.read(int(min(part, rest)))):
            return


def _combined(digests: Sequence[bytes]) -> str:
    """Return the checksum of an object that was sent in so many parts."""
    if len(digests) == 1:
        return b64encode(digests[0]).decode()
    return f"{b64encode(hashlib.sha256(b''.join(digests)).digest()).decode()}-{len(digests)}"


def upload_run(folder: RunFolder, record: RunRecord, store: ObjectAddress, control: Control) -> None:
    """Send a run that is over, and write into its record that it is stored.

    A run that had failed only because it could not be stored has not failed any more.

    Args:
        folder: The run.
        record: Its record, which is changed.
        store: Where runs are kept.
        control: Asked while it goes on.

    Raises:
        PlatformError: The store cannot be written (``store_failed``).
        Cancelled: As the control says.
    """
    upload = Upload(folder, store)
    upload.send(control, but=(RECORD,))
    if record.cause and record.upload and record.cause.message == record.upload.error:
        record.cause = None
        record.exit_code = int(ExitCode.LEFT_BEHIND if record.resources.left else ExitCode.OK)
        record.status = "succeeded"
    record.upload = UploadState(url=str(upload.target), complete=True)
    folder.write_record(record)
    upload.send(control)
