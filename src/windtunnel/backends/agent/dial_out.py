"""The way to the hub of an agent that dials out: by HTTP, with a token for each path that it may use."""

from __future__ import annotations

import contextlib
import http.client
import io
import shutil
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from windtunnel.backends.agent.places import TIME_HEADER, TOKEN_HEADER

CALL_SECONDS = 10.0
GIVE_UP_SECONDS = 6.0
PAUSE_SECONDS = 0.1
PIECE = 1 << 18
OK, FIRST_OF_OTHERS = 200, 300

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def dialled(url: str) -> Iterator[tuple[http.client.HTTPConnection, str]]:
    """Lend a connection to a URL's server, and the URL's path."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=CALL_SECONDS)
    try:
        yield connection, parts.path
    finally:
        connection.close()


def insist(what: str, attempt: Callable[[], bool]) -> None:
    """Try until it works; end this program if it does not for too long.

    Args:
        what: What is tried, in words.
        attempt: Tells whether it worked (OSError, HTTPException: it did not).
    """
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while True:
        try:
            if attempt():
                return
            problem = "refused"
        except (OSError, http.client.HTTPException) as error:
            problem = f"{type(error).__name__}: {error}"
        if time.monotonic() > deadline:
            sys.exit(f"{what}: {problem}")
        time.sleep(PAUSE_SECONDS)


def fetch(url: str, token: str, target: Path) -> bool:
    """Get a file from the hub; tell whether it could be had."""
    with dialled(url) as (connection, path):
        connection.request("GET", path, headers={TOKEN_HEADER: token})
        answer = connection.getresponse()
        if answer.status != OK:
            return False
        with target.open("wb") as file:
            shutil.copyfileobj(answer, file)
        return target.stat().st_size == int(answer.headers["Content-Length"])


class Pieces(io.RawIOBase):
    """A file to write an archive to, which is sent as it grows."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self.connection = connection
        self.buffer = bytearray()

    def writable(self) -> bool:
        """It is for writing."""
        return True

    def write(self, data) -> int:  # type: ignore[no-untyped-def]  # noqa: ANN001 - any buffer
        """Take in a piece."""
        self.buffer += data
        if len(self.buffer) >= PIECE:
            self.flush()
        return len(data)

    def flush(self) -> None:
        """Send what is there as one chunk."""
        if self.buffer:
            self.connection.send(b"%x\r\n%b\r\n" % (len(self.buffer), bytes(self.buffer)))
            self.buffer.clear()

    def finish(self) -> None:
        """Send the last chunk."""
        self.flush()
        self.connection.send(b"0\r\n\r\n")


def send(url: str, token: str, write: Callable[[Pieces], None]) -> bool:
    """Send what `write` writes, as it comes; tell whether it arrived."""
    with dialled(url) as (connection, path):
        connection.putrequest("PUT", path)
        connection.putheader(TOKEN_HEADER, token)
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        pieces = Pieces(connection)
        write(pieces)
        pieces.finish()
        return connection.getresponse().status < FIRST_OF_OTHERS


class Clock:
    """The hub's clock, as its answers tell it: those of two nodes may differ by any time."""

    def __init__(self) -> None:
        self.ahead, self.doubt = 0.0, float("inf")

    def note(self, begin: float, end: float, told: str) -> None:
        """Note what time it was at the hub between two moments here; the quickest answer tells it best."""
        if told and end - begin < self.doubt:
            self.ahead, self.doubt = float(told) - (begin + end) / 2, end - begin

    def moved(self, moment: float) -> float:
        """Return a time of this clock as the hub's has it."""
        return round(moment + self.ahead, 3)


def post(url: str, token: str, text: str, clock: Clock) -> bool:
    """Send a text once, and note the hub's time; tell whether it arrived."""
    try:
        with dialled(url) as (connection, path):
            connection.connect()
            begin = time.time()
            connection.request("POST", path, text.encode("ascii"), {TOKEN_HEADER: token})
            answer = connection.getresponse()
            clock.note(begin, time.time(), answer.headers.get(TIME_HEADER, ""))
            return answer.status < FIRST_OF_OTHERS
    except (OSError, http.client.HTTPException):
        return False
