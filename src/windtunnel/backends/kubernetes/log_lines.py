"""Lines with their times, as the API gives a container's output: no line is lost or doubled by a lost connection."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

PART_BYTES = 1 << 14
"""A container runtime writes a longer line in parts of about this size (CRI log format, tag P)."""
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")
_HEAD = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[^ \n]* "
_HEADS = re.compile(rb"^" + _HEAD, re.MULTILINE)
_WORDS = re.compile(rb"^(?!" + _HEAD + rb")[^\n]+\n?", re.MULTILINE)
"""Lines without a time: what a node or the API says itself, such as that a container's output was removed with it."""


@dataclass(frozen=True)
class Stamp:
    """The time at the beginning of a line.

    Attributes:
        key: A text that sorts; empty if it is no time.
        to_second: The time down to its second.
    """

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

    @property
    def moment(self) -> float:
        """The time in seconds since the epoch."""
        return datetime.fromisoformat(self.to_second).timestamp() + float(f"0.{self.key.partition('.')[2]}")


class Lines:
    """Takes the times off lines, and leaves out what was taken before a lost connection.

    Attributes:
        last: The time of the last line so far, which need not have come to its end.
        has_gap: Whether that line was not there any more after a lost connection, so that others may be missing too.
        is_gone: Whether the last connection had no line at all: it was to repeat one, or had words of the API instead.
    """

    def __init__(self) -> None:
        self.last: Stamp | None = None
        self.has_gap = False
        self.is_gone = False
        self._taken = 0
        """How many bytes of the last line were taken, its end included."""
        self._since: Stamp | None = None
        """The last line of an earlier connection, while it is looked for."""
        self._is_within = False
        """Whether the next piece goes on with the last line."""
        self._is_foreign = False
        """Whether that one is the API's own words."""
        self._rest = b""
        """The beginning of a line that may not have its whole time yet."""

    @property
    def is_long(self) -> bool:
        """Whether the last line is one that a node keeps in parts."""
        return self._taken >= PART_BYTES

    def resume(self) -> None:
        """A connection begins: it repeats some lines, if there were others before."""
        self._since, self._is_within, self._rest = self.last, False, b""
        self.is_gone = self._since is not None

    def end(self) -> None:
        """All came that there is; where there is nothing any more, its node has no new file, but none."""
        self.has_gap = self.has_gap or (self._since is not None and not self.is_gone)

    def take(self, piece: bytes) -> bytes:
        """Return what is new in a piece of the stream, which may end anywhere."""
        data, self._rest = self._rest + piece, b""
        found = b""
        if self._since is not None:
            found, data = self._look(data, self._since)
        if self._is_within:
            text, end, data = data.partition(b"\n")
            if not self._is_foreign:
                found += text + end
                self._taken += len(text + end)
            self._is_within = not end
        begin = data.rfind(b"\n") + 1
        begun = data[begin:]
        whole, words = _WORDS.subn(b"", data[:begin])
        self._note(whole[whole.rfind(b"\n", 0, -1) + 1 :])
        if b" " in begun:
            self._is_foreign, self._is_within = not self._note(begun), True
            words += self._is_foreign
            begun = b"" if self._is_foreign else begun
        else:
            begun, self._rest = b"", self._rest + begun  # the rest of its time is still to come
        lines = whole + begun
        self.is_gone = (self.is_gone or words > 0) and not lines
        return found + _HEADS.sub(b"", lines)

    def _note(self, line: bytes) -> bool:
        """Note a line, or what there is of it, as the last one; return whether it is one, and no words of the API."""
        stamp, text = split_line(line)
        if stamp.key:
            self.last, self._taken = stamp, len(text)
        return bool(stamp.key)

    def _look(self, data: bytes, since: Stamp) -> tuple[bytes, bytes]:
        """Leave out what was taken before: return the rest of the last line, once that is found, and what follows."""
        begin = 0
        while begin < len(data):  # in place: a copy of the rest for each line would take seconds for some megabytes
            end = data.find(b"\n", begin) + 1
            after = end or len(data)
            stamp, text = split_line(data[begin:after])
            self.is_gone = self.is_gone and not stamp.key
            if stamp.key > since.key:
                self._since, self.has_gap = None, True
                return b"", data[begin:]
            if stamp.key == since.key and (end or len(text) >= self._taken):
                new = text[self._taken :]
                self._since, self._is_within, self._taken = None, not end, len(text)
                self._is_foreign = False
                return new, data[after:]
            if not end:
                self._rest = data[begin:]
            begin = after
        return b"", b""


def split_line(line: bytes) -> tuple[Stamp, bytes]:
    """Return the time of a line, and its text; of one that has not its whole time yet, none."""
    head, blank, text = line.partition(b" ")
    return Stamp.parse(head.decode("ascii", errors="replace") if blank else ""), text
