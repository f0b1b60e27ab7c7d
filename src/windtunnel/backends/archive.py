"""Files into a container and out of it, as archives: the daemon may be on another machine."""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, cast

from windtunnel.backends.containers import HOME, OUT, RESULTS, WORK

INPUTS, TOOLS = HOME / "inputs", HOME / "tools"
ROOT = PurePosixPath("/")
_IN_MEMORY = 8 << 20
_PIECE = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Content:
    """What goes into a container.

    Attributes:
        owner: User and group of all of it, those of the container's command.
        files: Path, relative to the working folder or absolute, to content.
        inputs: The same, to where the input lies.
        links: The same, to where it leads.
        tools: Names of programs of ours, to where they lie.
    """

    owner: tuple[int, int]
    files: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, Path] = field(default_factory=dict)
    links: Mapping[str, PurePosixPath] = field(default_factory=dict)
    tools: Mapping[str, Path] = field(default_factory=dict)


@contextmanager
def packed(
    content: Content, folder: Path, root: PurePosixPath = ROOT, check: Callable[[], None] = lambda: None
) -> Iterator[IO[bytes]]:
    """Yield an archive of a step's folders and what goes into them.

    Args:
        content: What goes in.
        folder: Where an archive that is too large for memory is kept meanwhile.
        root: The container's folder at which it is to be unpacked, and above which nothing goes in.
        check: Asked while it is written and read; what it raises ends that.
    """
    sources = [*content.inputs.values(), *content.tools.values()]
    with _packing(sources, folder, content.owner, root, check) as (packer, target):
        names = [*content.files, *content.inputs, *content.links]
        for place in (HOME, WORK, RESULTS, OUT, *_folders_between(WORK / name for name in names)):
            if place != root:
                packer.add_folder(place)
        for path, text in content.files.items():
            packer.add_text(WORK / path, text)
        for path, leads_to in content.links.items():
            packer.add_link(WORK / path, leads_to)
        for path, source in content.inputs.items():
            packer.add_file(WORK / path, source, 0o444)
        for name, source in content.tools.items():
            packer.add_file(TOOLS / name, source, 0o555)
        packer.close()
        yield target


@contextmanager
def packed_inputs(inputs: Mapping[str, Path], folder: Path, check: Callable[[], None]) -> Iterator[IO[bytes]]:
    """Yield an archive of inputs, to be unpacked at `INPUTS`; see `input_links` for their names.

    Args:
        inputs: Path, relative to the working folder, to where the input lies.
        folder: Where an archive that is too large for memory is kept meanwhile.
        check: Asked while it is written and read; what it raises ends that.
    """
    with _packing(list(inputs.values()), folder, (0, 0), INPUTS, check) as (packer, target):
        for path, place in input_links(inputs).items():
            packer.add_file(place, inputs[path], 0o444)
        packer.close()
        yield target


def input_links(inputs: Iterable[str]) -> dict[str, PurePosixPath]:
    """Return where each input lies for all steps: numbered, since two may have one name in different folders."""
    return {path: INPUTS / str(number) for number, path in enumerate(inputs)}


def _folders_between(places: Iterable[PurePosixPath]) -> list[PurePosixPath]:
    """Return the folders between the working folder and files in it; outside of it they are the image's."""
    folders = {parent for place in places for parent in place.parents if WORK in parent.parents}
    return sorted(folders)


@contextmanager
def _packing(
    sources: Iterable[Path],
    folder: Path,
    owner: tuple[int, int],
    root: PurePosixPath,
    check: Callable[[], None],
) -> Iterator[tuple[_Packer, IO[bytes]]]:
    size = sum(source.stat().st_size for source in sources)
    with (
        io.BytesIO() if size < _IN_MEMORY else tempfile.TemporaryFile(dir=folder) as target,
        tarfile.open(fileobj=target, mode="w") as archive,
    ):
        yield _Packer(archive, owner, root, check), cast("IO[bytes]", _Asking(target, check))


class _Asking(io.RawIOBase):
    """A file that asks each time before it is read; what `check` raises is raised to the reader."""

    def __init__(self, file: IO[bytes], check: Callable[[], None]) -> None:
        self._file, self._check = file, check

    def read(self, size: int = -1) -> bytes:
        """Return that many bytes."""
        self._check()
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place and return it."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the place."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Return True: the stream can go back."""
        return True


class _Packer:
    """An archive that is being written, its names relative to `root`."""

    def __init__(
        self, archive: tarfile.TarFile, owner: tuple[int, int], root: PurePosixPath, check: Callable[[], None]
    ) -> None:
        self._archive, self._owner, self._root, self._check = archive, owner, root, check

    def add_folder(self, place: PurePosixPath) -> None:
        # A command that changes its user has to be able to write there too.
        self._archive.addfile(self._entry(place, 0o777, kind=tarfile.DIRTYPE))

    def add_text(self, place: PurePosixPath, text: str) -> None:
        data = text.encode()
        self._archive.addfile(self._entry(place, 0o644, size=len(data)), io.BytesIO(data))

    def add_link(self, place: PurePosixPath, leads_to: PurePosixPath) -> None:
        entry = self._entry(place, 0o777, kind=tarfile.SYMTYPE)
        entry.linkname = str(leads_to)
        self._archive.addfile(entry)

    def add_file(self, place: PurePosixPath, source: Path, mode: int) -> None:
        with source.open("rb") as file:
            self._archive.addfile(self._entry(place, mode, size=source.stat().st_size), _Asking(file, self._check))

    def close(self) -> None:
        self._archive.close()
        if self._archive.fileobj:
            self._archive.fileobj.seek(0)

    def _entry(
        self, place: PurePosixPath, mode: int, *, kind: bytes = tarfile.REGTYPE, size: int = 0
    ) -> tarfile.TarInfo:
        entry = tarfile.TarInfo(str(place.relative_to(self._root)))
        entry.type, entry.mode, entry.size, entry.mtime = kind, mode, size, int(time.time())
        entry.uid, entry.gid = self._owner
        return entry


def unpack(chunks: Iterable[bytes], target: Path) -> set[PurePosixPath]:
    """Write the regular files of an archive below `target`; return the names of what is none, which is left out.

    Names that lead elsewhere are left out too: a container's content is not to be trusted.
    """
    others: set[PurePosixPath] = set()
    with tarfile.open(fileobj=_Reader(chunks), mode="r|") as archive:
        for entry in archive:
            relative = PurePosixPath(*PurePosixPath(entry.name).parts[1:])
            if ".." in relative.parts or not relative.parts:
                continue
            if not (entry.isreg() or entry.islnk()):
                others.add(relative)
                continue
            place = target / relative
            place.parent.mkdir(parents=True, exist_ok=True)
            if entry.islnk():
                original = target / PurePosixPath(*PurePosixPath(entry.linkname).parts[1:])
                if ".." not in PurePosixPath(entry.linkname).parts and original.is_file():
                    shutil.copyfile(original, place)
            elif source := archive.extractfile(entry):
                with source, place.open("wb") as file:
                    _copy_with_holes(source, file)
    return others


def _copy_with_holes(source: IO[bytes], target: IO[bytes]) -> None:
    """Copy a file; where it has nothing but zeros, the copy takes no space, as the original may not."""
    while piece := source.read(_PIECE):
        if piece.strip(b"\0"):
            target.write(piece)
        else:
            target.seek(len(piece), io.SEEK_CUR)
    target.truncate()


def has_files(chunks: Iterable[bytes]) -> bool:
    """Tell whether an archive holds anything but folders."""
    with tarfile.open(fileobj=_Reader(chunks), mode="r|") as archive:
        return any(not entry.isdir() for entry in archive)


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
