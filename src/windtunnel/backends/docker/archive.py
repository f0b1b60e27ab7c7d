"""Files into a container and out of it, as archives: the daemon may be on another machine."""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

HOME = PurePosixPath("/windtunnel")
WORK = HOME / "work"
RESULTS = HOME / "results"
PYTHON = HOME / "python"
"""Where a step finds its Python environment, if it has one."""
OUT, METRICS = RESULTS / "out", RESULTS / "metrics.jsonl"
_IN_MEMORY = 8 << 20


@contextmanager
def packed(
    files: Mapping[str, str], inputs: Mapping[str, Path], owner: tuple[int, int], folder: Path
) -> Iterator[IO[bytes]]:
    """Yield an archive of a step's folders, files and inputs, to be unpacked at ``/``.

    Args:
        files: Path, relative to the working folder or absolute, to content.
        inputs: The same, to where the input lies.
        owner: User and group of all of it, those of the container's command.
        folder: Where an archive that is too large for memory is kept meanwhile.
    """
    size = sum(source.stat().st_size for source in inputs.values())
    with (
        io.BytesIO() if size < _IN_MEMORY else tempfile.TemporaryFile(dir=folder) as target,
        tarfile.open(fileobj=target, mode="w") as archive,
    ):
        places = {WORK / path: path for path in (*files, *inputs)}
        for place in (HOME, WORK, RESULTS, OUT, *_folders_between(places)):
            # A command that changes its user has to be able to write there too.
            archive.addfile(_entry(place, owner, 0o777, tarfile.DIRTYPE))
        for path, content in files.items():
            data = content.encode()
            archive.addfile(_entry(WORK / path, owner, 0o644, size=len(data)), io.BytesIO(data))
        for path, source in inputs.items():
            with source.open("rb") as data_file:
                archive.addfile(_entry(WORK / path, owner, 0o444, size=source.stat().st_size), data_file)
        archive.close()
        target.seek(0)
        yield target


def _folders_between(places: Iterable[PurePosixPath]) -> list[PurePosixPath]:
    """Return the folders between the working folder and files in it; outside of it they are the image's."""
    folders = {parent for place in places for parent in place.parents if WORK in parent.parents}
    return sorted(folders)


def _entry(
    place: PurePosixPath, owner: tuple[int, int], mode: int, kind: bytes = tarfile.REGTYPE, size: int = 0
) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(str(place).lstrip("/"))
    entry.type, entry.mode, entry.size, entry.mtime = kind, mode, size, int(time.time())
    entry.uid, entry.gid = owner
    return entry


def unpack(chunks: Iterable[bytes], target: Path) -> None:
    """Write the regular files of an archive below `target`; all else in it is left out.

    Names that lead elsewhere are left out too: a container's content is not to be trusted.
    """
    with tarfile.open(fileobj=_Reader(chunks), mode="r|") as archive:
        for entry in archive:
            relative = PurePosixPath(*PurePosixPath(entry.name).parts[1:])
            if ".." in relative.parts or not relative.parts or not (entry.isreg() or entry.islnk()):
                continue
            place = target / relative
            place.parent.mkdir(parents=True, exist_ok=True)
            if entry.islnk():
                original = target / PurePosixPath(*PurePosixPath(entry.linkname).parts[1:])
                if ".." not in PurePosixPath(entry.linkname).parts and original.is_file():
                    shutil.copyfile(original, place)
            elif source := archive.extractfile(entry):
                with source, place.open("wb") as file:
                    shutil.copyfileobj(source, file)


class _Reader(io.RawIOBase):
    """A stream of pieces, read as a file."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Return that many bytes; fewer only at the end."""
        parts, missing = [self._rest], size - len(self._rest)
        while missing > 0 and (chunk := next(self._chunks, b"")):
            parts.append(chunk)
            missing -= len(chunk)
        data = b"".join(parts)
        data, self._rest = data[:size], data[size:]
        return data
