"""The output of replicas beyond the first few: kept by the daemon, so that none needs a thread and a connection."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from pathlib import Path

from windtunnel.backends.docker.api import DockerApi
from windtunnel.backends.docker.daemon import DaemonError
from windtunnel.backends.docker.streams import frames
from windtunnel.backends.urgency import HurryError, unhurried


class KeptOutput:
    """A container's output, which the daemon keeps while the container runs, and which is fetched at its end.

    Args:
        api: The daemon.
        container: The container's id.
        path: The file that it is written to.

    Attributes:
        path: That file.
    """

    def __init__(self, api: DockerApi, container: str, path: Path) -> None:
        self._api, self._container = api, container
        self.path = path
        self._problem: str | None = None

    def is_awaited(self, died_at: float) -> bool:
        """Return False: the daemon has all of it when it tells that the container has ended."""
        del died_at
        return False

    def fetch(self, is_urgent: Callable[[], bool]) -> None:
        """Write all of it to the file, or as much as there is time for; what could not be had, `trouble` tells.

        Args:
            is_urgent: Whether somebody is in a hurry, asked meanwhile.
        """
        try:
            with self.path.open("wb") as file:
                file.writelines(unhurried(self._pieces(), is_urgent))
        except HurryError:
            self._problem = "somebody is in a hurry"
        except (DaemonError, OSError) as error:
            self._problem = getattr(error, "strerror", None) or str(error)

    def _pieces(self) -> Iterator[bytes]:
        with self._api.answer("GET", f"/containers/{self._container}/logs?stdout=1&stderr=1") as answer:
            try:
                yield from frames(answer)
            except http.client.HTTPException as error:
                raise OSError(f"{type(error).__name__}: {error}") from None

    def trouble(self, *, is_over: bool) -> str | None:
        """Return what the file lacks, if anything."""
        del is_over
        return f"its output could not be fetched: {self._problem}" if self._problem else None

    def close(self) -> None:
        """Do nothing: nobody listens."""
