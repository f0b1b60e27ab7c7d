"""A container's output, followed through the API into a file; a lost connection loses no line."""

from __future__ import annotations

import contextlib
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from urllib3.exceptions import HTTPError

from windtunnel.backends.kubernetes.api import NO_RIGHT_SECONDS, NOT_FOUND, Cluster, Refused
from windtunnel.backends.kubernetes.log_lines import Lines, split_line
from windtunnel.backends.kubernetes.watcher import shut
from windtunnel.backends.notifier import Notifier
from windtunnel.backends.output import NO_END, OutputFile

_GAP = "lines of its output may be missing"
_PAUSE_SECONDS = 0.2
_READ_SECONDS = 3600.0
_STRIPPED_BYTES = 1024
"""How much of the end may be another's than the step's."""
_QUIET_SECONDS = 0.25
"""After so long without a piece, no more is on its way of what has ended."""
_LOOK_SECONDS = 0.05
WHOLE_SECONDS = 10.0
"""How long what a container has written to its end may take to be had."""
_TAIL_BYTES = 1 << 20
ROTATED_BYTES = 10 << 20
"""At this size the kubelet has the runtime start a new file, unless it is told otherwise."""
LATE_SECONDS = 3.0
"""A reader so far behind may not be told of a new file in time."""


@dataclass(frozen=True)
class Source:
    """A container.

    Attributes:
        pod: The pod's name.
        container: The container's name.
        strip: Returns the last of its output without what is not the step's own.
    """

    pod: str
    container: str
    strip: Callable[[bytes], bytes] = bytes


class Output(OutputFile):
    """Follows a container that has been started.

    Args:
        cluster: The cluster of the run.
        source: The container.
        path: The file, which is appended to.
        is_over: Tells whether the container has ended, as far as is known.
        notifier: Told of the end of the output.

    Attributes:
        refused: Why it may not be read, if so.
    """

    def __init__(
        self,
        cluster: Cluster,
        source: Source,
        path: Path,
        is_over: Callable[[], bool],
        notifier: Notifier,
    ) -> None:
        super().__init__(path, notifier)
        self.refused: Refused | None = None
        self._cluster, self._source, self._is_over = cluster, source, is_over
        self._closed = threading.Event()
        self._answer: Any = None
        self._lines = Lines()
        self._bytes, self._late = 0, 0.0
        self._is_cut, self._is_finishing = True, False
        self._notifier = notifier
        self._thread = notifier.start_thread("kubernetes-output", self._follow)

    def trouble(self, *, is_over: bool) -> str | None:
        """Return what the file lacks, or may lack, if anything."""
        if found := super().trouble(is_over=is_over):
            return found
        if self.has_ended and self._is_cut:
            return NO_END
        if self._lines.has_gap:
            return f"{_GAP}: the connection was lost, and its node had begun a new file when it was there again"
        if self._bytes > ROTATED_BYTES and self._late > LATE_SECONDS:
            size = f"{self._bytes / 1e6:,.0f} MB, read up to {self._late:.0f} s late"
            return f"{_GAP}: it was {size}, and Kubernetes keeps little more than 10 MB; so much belongs into a file"
        return None

    def finish(self) -> None:
        """Read what is left and no longer: the container has ended, and the API would tell it up to a second later.

        As long as something comes, nothing is done: a reader that begins anew finds the runtime's last file alone.
        """
        if not self._is_finishing:
            self._is_finishing = True
            if not self._shut_if_quiet():
                self._notifier.start_thread("kubernetes-output-end", self._await_quiet)

    def _await_quiet(self) -> None:
        while not (self.has_ended or self._closed.is_set() or self._shut_if_quiet()):
            self._closed.wait(_LOOK_SECONDS)

    def _shut_if_quiet(self) -> bool:
        is_quiet = time.monotonic() > self._heard_at + _QUIET_SECONDS
        if self._answer is None or not is_quiet or _has_unread(self._answer):
            return False
        shut(self._answer)
        return True

    def close(self) -> None:
        """Stop following."""
        self._closed.set()
        if self._answer is not None:
            shut(self._answer)
        self._thread.join(2)

    def _follow(self) -> None:
        began, until = time.monotonic(), 0.0
        try:
            while not self._closed.is_set():
                # What is read after the end is all of it; what was read before may lack the last lines.
                was_over = self._is_over()
                try:
                    self._read()
                except Refused as error:
                    if error.status == NOT_FOUND:
                        break
                    self._is_cut = True
                    if error.is_final and time.monotonic() > began + NO_RIGHT_SECONDS:
                        self.refused = error
                        break
                except (OSError, HTTPError):
                    self._is_cut = True
                else:
                    # Of a container that was removed nothing comes, and no error: what came before is all there is.
                    self._is_cut = self._is_cut and self._lines.is_gone
                    if was_over:
                        until = until or time.monotonic() + WHOLE_SECONDS
                        is_whole = self._is_whole()
                        if is_whole or time.monotonic() > until:
                            self._is_cut = self._is_cut or not is_whole
                            self._lines.end()
                            break
                self._closed.wait(0 if self._is_over() and not until else _PAUSE_SECONDS)
        finally:
            self._strip()
            self._end()

    def _is_whole(self) -> bool:
        """Tell whether the node's last line is here: on a busy node an answer may end well, and too soon."""
        last = self._lines.last.key if self._lines.last else ""
        try:
            with contextlib.closing(self._open(tailLines="1", limitBytes=str(_TAIL_BYTES))) as answer:
                stamp, text = split_line(b"".join(answer.stream(_TAIL_BYTES, decode_content=True)))
            # A node keeps a long line in parts, each with a time of its own.
            return stamp.key <= last or (self._lines.is_long and self._ends_with(text.rstrip(b"\n")))
        except (Refused, OSError, HTTPError):
            return True  # nothing better is known

    def _ends_with(self, text: bytes) -> bool:
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - len(text) - 1))
            return file.read().rstrip(b"\n").endswith(text)

    def _strip(self) -> None:
        with contextlib.suppress(OSError), self.path.open("r+b") as file:
            begin = max(0, self.path.stat().st_size - _STRIPPED_BYTES)
            file.seek(begin)
            last = file.read()
            if (kept := self._source.strip(last)) != last:
                file.truncate(begin + len(kept))

    def _open(self, **query: str) -> Any:
        query |= {"container": self._source.container, "timestamps": "true"}
        path = f"{self._cluster.path('Pod', self._source.pod)}/log"
        return self._cluster.open("GET", path, query=query, timeout=_READ_SECONDS)

    def _read(self) -> None:
        since = {"sinceTime": self._lines.last.to_second} if self._lines.last else {}
        self._answer = self._open(follow="true", **since)
        self._lines.resume()
        least = float("inf")
        try:
            for piece in self._answer.stream(65536, decode_content=True):
                self._write(self._lines.take(piece))
                self._bytes += len(piece)
                if self._lines.last:
                    # The clocks of two machines differ: only a change counts.
                    late = time.time() - self._lines.last.moment
                    least = min(late, least)
                    self._late = max(late - least, self._late)
        finally:
            with contextlib.suppress(Exception):
                self._answer.close()


def _has_unread(answer: Any) -> bool:
    """Tell whether bytes of an answer have come that are still to be read: the reader is late then, not the sender."""
    with contextlib.suppress(ValueError, AttributeError, OSError):
        waiting = select.poll()
        waiting.register(answer.fileno(), select.POLLIN)
        return bool(waiting.poll(0))
    return False
