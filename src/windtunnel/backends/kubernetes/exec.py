"""The channel to a program in a pod: `exec`, over the API's websocket."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from kubernetes.stream.ws_client import WSClient


class Exec:
    """A channel to what `exec` started.

    Args:
        streams: Its standard input and output.
    """

    def __init__(self, streams: WSClient) -> None:
        self._streams = streams

    def write(self, line: str) -> None:
        """Send a line."""
        with _connection_words():
            self._streams.write_stdin(line)

    def lines(self) -> Iterator[str]:
        """Yield what the program says."""
        while line := self._read_line():
            yield line

    def words(self) -> str:
        """Return what the program wrote to its standard error."""
        with _connection_words():
            return str(self._streams.read_stderr(timeout=0) or "").strip()

    def close(self) -> None:
        """End the connection; the program ends with its standard input."""
        with contextlib.suppress(Exception):  # it may be lost already
            self._streams.sock.shutdown()

    def _read_line(self) -> str:
        with _connection_words():
            return str(self._streams.readline_stdout() or "")


@contextlib.contextmanager
def _connection_words() -> Iterator[None]:
    """Raise whatever the connection raises as OSError: websocket-client has errors of many families."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - as it says
        raise OSError(str(error) or type(error).__name__) from None
