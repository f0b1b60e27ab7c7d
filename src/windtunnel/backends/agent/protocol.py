"""The line protocol between a driver and an agent, whatever the channel between them is.

A line is one JSON object. The agent's first line is its hello, with the protocol's version::

    {"hello": 1}

The driver asks; the agent answers each request once, in the order in which they are done. A
request without an id wants no answer. What an agent tells unasked is an event::

    driver  {"id": 7, "do": "probe", "host": …}          {"do": "kill", "name": …}
    agent   {"id": 7, "ok": true, …}  or  {"id": 7, "error": "what went wrong", …}
    agent   {"event": "exited", "name": …, "status": 0, …}

What can be asked stands where it is done: `supervisor`, `request_handlers`, `windtunnel.backends.docker.warden`.

Several processes, and several threads of each, may write to one pipe. A line of PIPE_BUF bytes
or less is written in one piece (pipe(7)), so lines never mix. A longer one is cut into pieces of
that size, each a line of its own: ``+WRITER TEXT`` and, for the last, ``.WRITER TEXT``, in which
WRITER tells this line's pieces from all others.

The end of the agent's standard input is the end of the agent. One that ends of a bug of its own
has an exit status that tells so; one that goes on tells of it in its answer, with what Python says::

    agent   {"id": 7, "error": "KeyError: 'x'", "bug": ["Traceback (most recent call last):", …]}
"""

from __future__ import annotations

import itertools
import json
import os
import select

VERSION = 1
BUG = 70
"""The exit status of a program that has ended of an exception (sysexits.h)."""
MORE, LAST = "+", "."

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_numbers = itertools.count(1)


def send(message: dict[str, Any], to: int = 1) -> None:
    """Write one line to a pipe; a peer that is gone does not read it, and that is fine.

    Args:
        message: What the line says.
        to: The pipe's descriptor.
    """
    try:
        for piece in cut(json.dumps(message).encode("ascii")):
            os.write(to, piece)
    except OSError:
        pass


def cut(line: bytes) -> Iterator[bytes]:
    """Yield a line, which lacks its end, in pieces that are written as a whole."""
    if len(line) < select.PIPE_BUF:
        yield line + b"\n"
        return
    writer = b"%d-%d " % (os.getpid(), next(_numbers))
    size = select.PIPE_BUF - len(writer) - 2
    for begin in range(0, len(line), size):
        mark = MORE if begin + size < len(line) else LAST
        yield b"%b%b%b\n" % (mark.encode("ascii"), writer, line[begin : begin + size])


class Lines:
    """Puts together what was cut."""

    def __init__(self) -> None:
        self.begun: dict[str, list[str]] = {}

    def take(self, line: str) -> dict[str, Any] | None:
        """Return what a line says, or None while it is not whole (ValueError: it is neither a line nor a piece)."""
        if line[:1] in {MORE, LAST}:
            writer, _, text = line[1:].rstrip("\n").partition(" ")
            self.begun.setdefault(writer, []).append(text)
            if line[0] == MORE:
                return None
            line = "".join(self.begun.pop(writer))
        return dict(json.loads(line))
