"""A container's output, followed through the API into a file; a lost connection loses no line."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from urllib3.exceptions import HTTPError

from windtunnel.backends.hearing import Changes, OutputFile
from windtunnel.backends.kubernetes.calls import NO_RIGHT_SECONDS, NOT_FOUND, Cluster, Refused
from windtunnel.backends.kubernetes.watcher import shut

_PAUSE_SECONDS = 0.2
_READ_SECONDS = 3600.0
LAST_WORD = re.compile(
    rb'(\d{4}-\d\d-\d\dT\S+ )?time="[^"\n]*" level=\w+ msg="sub-process exited" argo=true[^\n]*\n'
    rb"(Error: exit status \d+\n)?\Z"
)
"""What Argo's program, which runs the command of a pod of Argo's, says at its end; with its time if it ends a line."""
_LAST_WORD_BYTES = 1024
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class Stamp:
    """The time at the beginning of a line: a text that sorts, and the time down to its second."""

    key: str
    to_second: str

    @classmethod
    def parse(cls, text: str) -> Stamp:
        """Return a line's time; one that is none sorts before all others."""
        match = _STAMP.fullmatch(text)
        if match is None:
            return cls("", "")
        seconds, fraction, zone = match.groups()
        return cls(f"{seconds}.{fraction or '':0<9}", f"{seconds}{zone}")


class Lines:
    """Takes the times off lines, and leaves out lines that were taken before.

    Args:
        since: The time of the last line that was taken, if any was.

    Attributes:
        last: The time of the last line so far.
    """

    def __init__(self, since: Stamp | None) -> None:
        self.last = self._since = since
        self._stamp: Stamp | None = None
        self._rest = b""

    def take(self, piece: bytes) -> bytes:
        """Return what is new in a piece of the stream, which may end anywhere."""
        found = bytearray()
        *whole, begun = (self._rest + piece).split(b"\n")
        self._rest = b""
        for line in whole:
            found += self._new(line + b"\n")
            self._stamp = None
        if self._stamp is None and b" " not in begun:
            self._rest = begun  # the rest of its time is still to come
        else:
            found += self._new(begun)
        return bytes(found)

    def _new(self, line: bytes) -> bytes:
        """Return a line, or what there is of one, without its time; nothing if it was taken before."""
        if self._stamp is None:
            head, _blank, line = line.partition(b" ")
            self._stamp = Stamp.parse(head.decode("ascii", errors="replace"))
        if self._since is not None and self._stamp.key <= self._since.key:
            return b""
        self.last = self._stamp
        return line


@dataclass(frozen=True)
class Source:
    """A container.

    Attributes:
        pod: Its pod's name.
        container: Its own.
        is_engines: Whether a workflow engine's program runs its command; that one's own words are left out.
    """

    pod: str
    container: str
    is_engines: bool = False


class Output(OutputFile):
    """Follows a container that has been started.

    Args:
        cluster: Where it is.
        source: The container.
        path: The file, which is appended to.
        is_over: Tells whether the container has ended, as far as is known.
        changes: Told of the end of the output.

    Attributes:
        refused: Why it may not be read, if so.
    """

    def __init__(
        self,
        cluster: Cluster,
        source: Source,
        path: Path,
        is_over: Callable[[], bool],
        changes: Changes,
    ) -> None:
        super().__init__(path, changes)
        self.refused: Refused | None = None
        self._cluster, self._source, self._is_over = cluster, source, is_over
        self._closed = threading.Event()
        self._answer: Any = None
        self._last: Stamp | None = None
        self._thread = changes.start_thread("kubernetes-output", self._follow)

    def finish(self) -> None:
        """Read what is left and no longer: the container has ended, and the API would tell it up to a second later."""
        if self._answer is not None:
            shut(self._answer)

    def close(self) -> None:
        """Stop following."""
        self._closed.set()
        if self._answer is not None:
            shut(self._answer)
        self._thread.join(2)

    def _follow(self) -> None:
        began = time.monotonic()
        try:
            while not self._closed.is_set():
                # What is read after the end is all of it; what was read before may lack the last lines.
                was_over = self._is_over()
                try:
                    self._read()
                except Refused as error:
                    if error.status == NOT_FOUND:
                        break
                    if error.is_final and time.monotonic() > began + NO_RIGHT_SECONDS:
                        self.refused = error
                        break
                except (OSError, HTTPError):
                    pass
                else:
                    if was_over:
                        break
                self._closed.wait(0 if self._is_over() else _PAUSE_SECONDS)
        finally:
            if self._source.is_engines:
                _drop_last_word(self.path)
            self._end()

    def _read(self) -> None:
        query = {"container": self._source.container, "follow": "true", "timestamps": "true"}
        if self._last:
            query["sinceTime"] = self._last.to_second
        path = f"{self._cluster.path('Pod', self._source.pod)}/log"
        self._answer = self._cluster.open("GET", path, query=query, timeout=_READ_SECONDS)
        lines = Lines(self._last)
        try:
            for piece in self._answer.stream(65536, decode_content=True):
                self._write(lines.take(piece))
                self._last = lines.last
        finally:
            with contextlib.suppress(Exception):
                self._answer.close()


def _drop_last_word(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("r+b") as file:
        begin = max(0, path.stat().st_size - _LAST_WORD_BYTES)
        file.seek(begin)
        if match := LAST_WORD.search(file.read()):
            file.truncate(begin + match.start())
