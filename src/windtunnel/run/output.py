"""What a step wrote, read as a stream: never more than a chunk at once, and never from what is no file.

A program may put a pipe, a device or a folder where its output is kept, or go on writing while it is read: only a
regular file is opened, and only what it held then is read.
"""

from __future__ import annotations

import codecs
import io
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

CHUNK = 65_536
"""Bytes that are read at once."""
LONGEST_LINE = 1 << 20
"""Characters of a line that are looked at; the rest of a longer one is passed over."""
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFDIR: "a folder",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class NotAFile(OSError):
    """Something else stands where a file should be; reading it could wait for good."""


def open_file(path: Path) -> IO[bytes]:
    """Open a regular file for reading, without waiting.

    Raises:
        NotAFile: The path is of a pipe, a device, a folder or a socket.
        OSError: The file is not there, or cannot be read.
    """
    _check_kind(path, path.stat())
    # It may have been replaced since: without O_NONBLOCK a pipe's opening waits for a writer.
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), "rb")
    try:
        _check_kind(path, os.fstat(file.fileno()))
    except NotAFile:
        file.close()
        raise
    return file


def open_to_append(path: Path) -> io.FileIO:
    """Open a file to append to it, and make it where there is none, without waiting; a device waits for nobody.

    Raises:
        NotAFile: The path is of a pipe, a folder or a socket.
        OSError: The file cannot be written.
    """
    with suppress(FileNotFoundError):
        status = path.stat()
        if not stat.S_ISCHR(status.st_mode):
            _check_kind(path, status)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    return io.FileIO(os.open(path, flags, 0o666), "ab")


def read_chunks(path: Path, offset: int = 0) -> Iterator[tuple[str, int]]:
    r"""Yield a file's text in chunks, each with the byte at which the next one begins.

    Every end of a line is ``\n``, and what is no UTF-8 is replaced.

    Args:
        path: The file; what is appended to it meanwhile is left out.
        offset: The byte to begin with.

    Raises:
        OSError: As `open_file`.
    """
    utf8 = codecs.getincrementaldecoder("utf-8")("replace")
    decoder = io.IncrementalNewlineDecoder(utf8, translate=True)
    with open_file(path) as file:
        end = os.fstat(file.fileno()).st_size
        file.seek(offset)
        while offset < end and (data := file.read(min(CHUNK, end - offset))):
            offset += len(data)
            yield decoder.decode(data, final=offset == end), offset


def split_lines(chunks: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a text that comes in chunks, each with its end; the last one may have none."""
    begun: list[str] = []
    length = 0
    for chunk in chunks:
        first, end, others = chunk.partition("\n")
        if length < LONGEST_LINE:
            begun.append(first[: LONGEST_LINE - length])
        length += len(first)
        if end:
            yield "".join([*begun, end])
            whole, end, last = others.rpartition("\n")
            yield from io.StringIO(whole + end, newline="\n")
            begun, length = [last], len(last)
    if length:
        yield "".join(begun)


def _check_kind(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise NotAFile(0, f"{kind} stands where a file should be", str(path))
