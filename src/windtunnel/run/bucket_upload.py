"""A run's folder into an S3 store: in parts where it is large, checked against the store's own checksums."""

from __future__ import annotations

import hashlib
import math
import os
import threading
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from windtunnel.addresses import ObjectAddress
from windtunnel.errors import PlatformError
from windtunnel.run.folder import RunFolder
from windtunnel.run.output import open_file
from windtunnel.run.s3 import Bucket
from windtunnel.run.upload import Upload, chunks

PART = 16 << 20
_MOST_PARTS = 10_000


class BucketUpload(Upload):
    """Sends a run's folder to a bucket.

    Args:
        folder: The run.
        store: Where runs are kept; the keys of the run's objects begin with its id.
        is_new: Whether the store cannot have anything of this run yet, so that it is not asked.
        part: A larger file is sent in parts of this size, in bytes.

    Raises:
        PlatformError: There are no credentials (``store_failed``).
    """

    def __init__(self, folder: RunFolder, store: ObjectAddress, *, is_new: bool = False, part: int = PART) -> None:
        super().__init__(folder, str(store.below(folder.run_id)))
        self._target = store.below(folder.run_id)
        self._bucket = Bucket(store.bucket, "store_failed")
        self._is_new, self._part = is_new, part
        self._there: dict[str, int] | None = {} if is_new else None
        self._sent: dict[str, str] = {}
        self._begun: dict[str, str] = {}

    def _send(self, path: Path, name: str, is_over: threading.Event) -> None:
        key = self._target.below(name).key
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size  # what is written meanwhile is sent the next time
            part = self._part * max(1, math.ceil(size / (self._part * _MOST_PARTS)))
            digests = [hashlib.sha256(data).digest() for data in chunks(file, part, size)]
            checksum = _combined(digests)
            if self._has(key, size, checksum, part):
                return
            if len(digests) == 1:
                file.seek(0)
                stored = self._bucket.put(key, file.read(size), checksum)
            else:
                upload, parts = self._begin(key)
                self._send_parts(key, upload, parts, _Cut(file, size, part, digests), is_over)
                if is_over.is_set():
                    return
                stored = self._bucket.finish(key, upload, [parts[n] for n in range(1, len(digests) + 1)])
                del self._begun[key]
        if not self._is_stored(key, stored, checksum, part):
            raise PlatformError(
                f"{ObjectAddress(self._target.bucket, key)}: what is stored is not what was sent", code="store_failed"
            )
        self._sent[key] = checksum

    def _begin(self, key: str) -> tuple[str, dict[int, Mapping[str, Any]]]:
        """Return the multipart upload to go on with, or a new one, and the parts that the store has of it."""
        upload = self._begun.get(key) or (None if self._is_new else self._bucket.unfinished(key))
        parts = self._bucket.parts(key, upload) if upload else {}
        self._begun[key] = upload = upload or self._bucket.begin(key)
        return upload, parts

    def _send_parts(
        self, key: str, upload: str, parts: dict[int, Mapping[str, Any]], cut: _Cut, is_over: threading.Event
    ) -> None:
        """Send each part that the store lacks or has otherwise, and add it to `parts`."""
        for number, digest in enumerate(cut.digests, start=1):
            if is_over.is_set():
                return
            checksum = _combined([digest])
            if number not in parts or parts[number].get("ChecksumSHA256") != checksum:
                parts[number] = self._bucket.put_part(key, upload, number, cut.read(number), checksum)

    def _has(self, key: str, size: int, checksum: str, part: int) -> bool:
        if key in self._sent:
            return self._sent[key] == checksum
        if self._there is None:
            listing = self._bucket.listing(f"{self._target.key}/")
            self._there = {key: item.size for key, item in listing.items()}
        if self._there.get(key) != size:
            return False
        return self._is_stored(key, self._bucket.checksum(key), checksum, part)

    def _is_stored(self, key: str, stored: str | None, checksum: str, part: int) -> bool:
        """Tell whether an object has a checksum: by the store's word, or where it tells none, by reading it back."""
        if stored and ("-" in stored) == ("-" in checksum):
            return stored == checksum
        with self._bucket.reading(key) as body:
            return _combined([hashlib.sha256(data).digest() for data in chunks(body, part)]) == checksum


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


def _combined(digests: Sequence[bytes]) -> str:
    """Return the checksum of an object that was sent in so many parts."""
    if len(digests) == 1:
        return b64encode(digests[0]).decode()
    return f"{b64encode(hashlib.sha256(b''.join(digests)).digest()).decode()}-{len(digests)}"
