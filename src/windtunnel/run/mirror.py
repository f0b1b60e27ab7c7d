"""The runs of an S3 store, brought into the user's cache, where they are read like any others."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from windtunnel.addresses import ObjectAddress
from windtunnel.errors import PlatformError
from windtunnel.run.cache import atomic_write, cache_folder
from windtunnel.run.folder import RECORD, RunFolder
from windtunnel.run.s3 import Bucket, Listed

_ATTEMPTS = 4
_SIDE_BY_SIDE = 8


class Mirror:
    """A copy of a store, as far as it was asked for.

    Attributes:
        folder: The folder that has the copy.
    """

    def __init__(self, store: ObjectAddress) -> None:
        self._store = store
        self._bucket = Bucket(store.bucket, "store_failed")
        # Two endpoints may have buckets of one name.
        key = hashlib.sha256(f"{self._bucket.endpoint} {store}".encode()).hexdigest()[:16]
        self.folder = cache_folder("stores") / key

    def records(self) -> Path:
        """Bring the record of every run here, take away what the store has no more, and return the folder.

        Raises:
            PlatformError: The store does not give them (``store_failed``).
        """
        prefix = self._store.below("").key
        names = [name for name in self._bucket.folders(prefix) if _is_name(name)]
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.iterdir():
            if path.name not in names:
                shutil.rmtree(path, ignore_errors=True)
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            list(pool.map(self._bring_record, names))
        return self.folder

    def _bring_record(self, name: str) -> None:
        key = self._store.below(f"{name}/{RECORD}").key
        listing = self._bucket.listing(key)
        if key in listing:
            self._bring({key: listing[key]}, self.folder / name, self._store.below(name))

    def complete(self, run: RunFolder, names: Collection[str] | None = None) -> None:
        """Bring all the rest of a run here, or those of its files that have one of these names.

        Raises:
            PlatformError: The store does not give it (``store_failed``).
        """
        source = self._store.below(run.run_id)
        wanted = None if names is None else {f"{source.key}/{name}" for name in names}
        listing = self._bucket.listing(f"{source.key}/")
        self._bring({key: item for key, item in listing.items() if wanted is None or key in wanted}, run.path, source)

    def _bring(self, listing: Mapping[str, Listed], folder: Path, source: ObjectAddress) -> None:
        for key, item in listing.items():
            name = PurePosixPath(key.removeprefix(f"{source.key}/"))
            path = folder / name
            moment = item.modified.timestamp()
            is_here = path.is_file() and path.stat().st_size == item.size and path.stat().st_mtime == moment
            if is_here or ".." in name.parts or name.is_absolute() or key.endswith("/"):
                continue
            self._download(key, path)
            os.utime(path, (moment, moment))

    def _download(self, key: str, path: Path) -> None:
        retrying = Retrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_exponential(multiplier=0.2, max=5),
            retry=retry_if_exception_type(ConnectionError),
            reraise=True,
        )
        try:
            with atomic_write(path) as partial:
                retrying(self._bucket.download, key, partial)
        except OSError as error:
            address = ObjectAddress(self._store.bucket, key)
            raise PlatformError(f"{address}: {error.strerror or error}", code="store_failed") from None


def _is_name(name: str) -> bool:
    return name not in {"", ".", ".."} and "/" not in name
