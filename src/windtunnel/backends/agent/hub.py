"""The hub: where agents that dial out get inputs, and leave what steps use and write.

They ask by HTTP, each with its token: ``GET /inputs/NAME``, ``POST /usage/NAME``, ``PUT
/results/NAME``. The driver reaches what they left through `request_handlers`, beside the hub.
"""

from __future__ import annotations

import hmac
import http.server
import shutil
import sys
import threading
import time

from windtunnel.backends.agent.places import (
    PORT,
    TIME_HEADER,
    TOKEN_HEADER,
    input_file,
    result_file,
    token_for,
    usage_file,
)

NOT_FOUND, CREATED = 404, 201


class Files(http.server.BaseHTTPRequestHandler):
    """Hands out inputs and takes in results; each path has a token of its own."""

    protocol_version = "HTTP/1.1"
    key = b""

    def do_GET(self) -> None:
        """Hand out an input."""
        path = input_file(self.path.rpartition("/")[2])
        if not self.is_allowed() or not self.path.startswith("/inputs/") or not path.is_file():
            self.refuse()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.end_headers()
        with path.open("rb") as file:
            shutil.copyfileobj(file, self.wfile)

    def do_PUT(self) -> None:
        """Take in what a step wrote; it is there for others once it is there as a whole."""
        if not self.is_allowed() or not self.path.startswith("/results/"):
            self.refuse()
            return
        path = result_file(self.path.rpartition("/")[2])
        part = path.with_name(f"{path.name}.{threading.get_ident()}.part")
        with part.open("wb") as file:
            self.copy_chunks(file)
        part.replace(path)
        self.answer(CREATED)

    def do_POST(self) -> None:
        """Take in more of what a pod uses."""
        if not self.is_allowed() or not self.path.startswith("/usage/"):
            self.refuse()
            return
        data = self.rfile.read(int(self.headers["Content-Length"]))
        with usage_file(self.path.rpartition("/")[2]).open("ab") as file:
            file.write(data)
        self.answer(CREATED)

    def copy_chunks(self, file) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - any file
        """Copy a body that comes in chunks (RFC 9112, 7.1); ConnectionError if it ends too soon."""
        while size := int(self.rfile.readline().split(b";")[0] or b"-1", 16):
            missing = size
            while missing > 0 and (piece := self.rfile.read(min(missing, 1 << 20))):
                file.write(piece)
                missing -= len(piece)
            if size < 0 or missing:
                raise ConnectionError("the body ended too soon")
            self.rfile.readline()
        self.rfile.readline()

    def is_allowed(self) -> bool:
        """Tell whether the caller was given this path."""
        token = self.headers.get(TOKEN_HEADER, "").encode("utf-8", errors="replace")
        return hmac.compare_digest(token, token_for(self.key, self.path).encode("ascii"))

    def refuse(self) -> None:
        """Answer that there is nothing, and close the connection."""
        self.close_connection = True
        self.answer(NOT_FOUND)

    def answer(self, status: int) -> None:
        """Answer without a body."""
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header(TIME_HEADER, repr(time.time()))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's own name
        """Write down refusals and errors alone."""


class Hub(http.server.ThreadingHTTPServer):
    """The server, which notes what is wrong with itself.

    Args:
        key: The run's, of which each agent's token is made.

    Attributes:
        bug: The exception of ours that the answer to somebody ended in, None if there was none.
    """

    daemon_threads = True

    def __init__(self, key: bytes) -> None:
        for folder in (input_file("x").parent, result_file("x").parent, usage_file("x").parent):
            folder.mkdir(parents=True, exist_ok=True)
        Files.key = key
        super().__init__(("", PORT), Files)
        self.bug: BaseException | None = None
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    def check(self) -> None:
        """Raise what is wrong with it, if anything is."""
        if self.bug:
            raise self.bug
        if not self.thread.is_alive():
            raise RuntimeError("the hub does not serve any more")

    def handle_error(self, request, client_address) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - the base's own
        """Note a bug; what a disk or a peer does is the peer's to try again, which is told."""
        error = sys.exc_info()[1]
        if not isinstance(error, (OSError, ValueError)):
            self.bug = self.bug or error
        super().handle_error(request, client_address)
