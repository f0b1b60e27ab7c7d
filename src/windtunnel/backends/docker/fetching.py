"""What a container holds, fetched as an archive on a connection of its own.

The SDK keeps the connection of an archive that is not read to its end; while the daemon waits to
send the rest, it does not remove the container.
"""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from docker.utils import decode_json_header

from windtunnel.backends.docker.warden import Daemon, request

SILENT_SECONDS = 120.0
"""How long the daemon may send nothing."""
_PIECE = 1 << 16


@contextmanager
def fetched(
    daemon: Daemon, container: str, path: PurePosixPath | str
) -> Iterator[tuple[Iterator[bytes], Mapping[str, Any]]]:
    """Lend the pieces of an archive of what a container has at a path, and what the daemon tells of the path.

    Raises:
        DaemonError: There is no such container, or nothing at the path.
        OSError: The daemon is gone, or was silent for too long; reading the pieces raises this, too.
    """
    connection = daemon.connect(SILENT_SECONDS)
    try:
        try:
            answer = request(connection, "GET", f"/containers/{container}/archive?path={quote(str(path))}", None)
        except http.client.HTTPException as error:
            raise _as_os_error(error) from None
        with contextlib.closing(answer):
            yield _pieces(answer), decode_json_header(answer.headers["X-Docker-Container-Path-Stat"])
    finally:
        connection.close()


def _pieces(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while piece := answer.read1(_PIECE):
            yield piece
    except http.client.HTTPException as error:
        raise _as_os_error(error) from None


def _as_os_error(error: Exception) -> OSError:
    return OSError(f"{type(error).__name__}: {error}")
