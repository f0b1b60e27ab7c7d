"""What the daemon tells: deaths are heard the moment they happen, not looked for."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from windtunnel.backends.containers import exit_status
from windtunnel.backends.docker.api import DockerApi, map_errors
from windtunnel.backends.docker.daemon import DaemonError
from windtunnel.backends.docker.kept_output import KeptOutput
from windtunnel.backends.docker.streams import Output, Stream, lines
from windtunnel.backends.docker.warden_client import DAEMON_LOST
from windtunnel.backends.notifier import Notifier
from windtunnel.errors import PlatformError

_MEDDLING = {"pause": "its container was paused", "update": "the limits of its container were changed"}
"""What this program never asks for."""
_HEARD = {
    "type": ["container", "network"],
    "event": ["die", "oom", "destroy", "disconnect", "kill", *_MEDDLING],
}


@dataclass(eq=False)
class Container:
    """A container, and what the daemon told of it.

    Attributes:
        id: Its id.
        name: Its name.
        step: The name of the step that it is of.
        output: Its output.
        exit_code: Its exit status; None while it runs.
        died_at: When it ended, by the monotonic clock.
        is_out_of_memory: Whether the kernel killed something in it for its memory.
        is_removed: Whether somebody removed it.
        is_ended: Whether this run has begun to end it.
    """

    id: str
    name: str
    step: str
    output: Output | KeptOutput
    exit_code: int | None = None
    died_at: float = 0.0
    is_out_of_memory: bool = False
    is_removed: bool = False
    is_ended: bool = False

    def die(self, exit_code: int) -> None:
        """Note that it has ended."""
        self.exit_code, self.died_at = exit_code, time.monotonic()

    @property
    def status(self) -> int | None:
        """Its exit status, -N for signal N, once its output has ended too; None while it runs."""
        if self.exit_code is None or self.output.is_awaited(self.died_at):
            return None
        return exit_status(self.exit_code)


class Watcher:
    """Hears of a run's containers and its networks, in a thread of its own.

    Args:
        api: The daemon.
        notifier: The run's, which is told of each change.
        doubt: Told what somebody else did to a step that is measured.
    """

    def __init__(self, api: DockerApi, notifier: Notifier, doubt: Callable[[str], None]) -> None:
        self._api, self._notifier, self._doubt = api, notifier, doubt
        self._containers: dict[str, Container] = {}
        self._networks: set[str] = set()
        self._told_of: set[str] = set()
        self._is_closed = False
        self._lost: PlatformError | None = None
        filters = quote(json.dumps(_HEARD))
        with map_errors("listening to Docker"):
            self._events = Stream(api, "GET", f"/events?since={int(time.time())}&filters={filters}", split=lines)
        self._thread = notifier.start_thread("docker-events", self._hear_all)

    @property
    def containers(self) -> list[Container]:
        """The containers that are heard of."""
        return list(self._containers.values())

    def add(self, container: Container) -> None:
        """Hear of a container from now on; it was not started yet."""
        self._containers[container.id] = container

    def remove(self, container: Container) -> None:
        """Hear no more of a container."""
        self._containers.pop(container.id, None)

    def watch_networks(self, keys: Iterable[str]) -> None:
        """Hear of the run's networks, by their ids."""
        self._networks |= set(keys)

    def check(self) -> None:
        """Raise PlatformError if the daemon, or the run's network, is gone."""
        if self._lost:
            raise self._lost

    def close(self) -> None:
        """Hear no more."""
        self._is_closed = True
        self._events.close()
        self._thread.join(1)

    def _hear_all(self) -> None:
        with contextlib.suppress(PlatformError):  # the daemon does not answer
            for line in self._events.pieces():
                self._hear(json.loads(line))
                self._notifier.notify()
        if not self._is_closed:
            self._lose(
                "Docker tells no more what happens: the daemon was stopped, or the connection is lost", DAEMON_LOST
            )

    def _lose(self, message: str, code: str) -> None:
        self._lost = self._lost or PlatformError(message, code=code)
        self._notifier.notify()

    def _hear(self, event: Mapping[str, Any]) -> None:
        action, actor = event["Action"], event["Actor"]
        if event["Type"] == "network":
            self._hear_network(action, actor)
            return
        container = self._containers.get(actor["ID"])
        if container is None:
            return
        if action == "oom":
            container.is_out_of_memory = True
        elif action == "die":
            code = int(actor["Attributes"].get("exitCode", 0))
            if code:
                self._look_at_end(container)
            container.die(code)
        elif action == "destroy":
            container.is_removed = True
        elif not container.is_ended:
            self._tell_meddling(container, action, actor["Attributes"])

    def _tell_meddling(self, container: Container, action: str, details: Mapping[str, str]) -> None:
        what = _MEDDLING.get(action) or f"{_signal_name(details.get('signal', ''))} was sent to its container"
        message = f"{container.step}: {what} by somebody else, through Docker"
        if message not in self._told_of:
            self._told_of.add(message)
            self._doubt(message)

    def _hear_network(self, action: str, actor: Mapping[str, Any]) -> None:
        if actor["ID"] not in self._networks:
            return
        container = self._containers.get(actor["Attributes"].get("container", ""))
        # What ends leaves its network too; that is no loss.
        if action == "destroy" or (container and container.exit_code is None and self._is_running(container)):
            who = f" under {container.name}" if container else ""
            self._lose(f"the run's network was removed{who}", "network_lost")

    def _look_at_end(self, container: Container) -> None:
        """Note why a container failed, if not by itself: the other events may come later."""
        state = self._state(container)
        container.is_out_of_memory |= bool(state.get("OOMKilled"))
        container.is_removed |= state.get("Status", "removing") in {"removing", "dead"}

    def _is_running(self, container: Container) -> bool:
        return bool(self._state(container).get("Running"))

    def _state(self, container: Container) -> Mapping[str, Any]:
        """Return a container's state; nothing if it was removed."""
        with map_errors("looking at a container"), contextlib.suppress(DaemonError):
            return dict(self._api.inspect_container(container.id)["State"])
        return {}


def _signal_name(number: str) -> str:
    """Return the name of a signal, which Docker tells by its number."""
    with contextlib.suppress(ValueError):
        return signal.Signals(int(number)).name
    return f"signal {number}"
