"""Containers, networks and volumes of a Docker daemon that carry a run's label."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import datetime

from windtunnel.backends.agent.spawn import has_warden
from windtunnel.backends.docker.api import map_errors
from windtunnel.backends.docker.daemon import Daemon
from windtunnel.backends.docker.warden import Resource, find, remove_all
from windtunnel.backends.labels import DRIVER, EXPIRES
from windtunnel.run.driver import is_alive


class DockerResources:
    """What carries a run's label on a daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def find(self, run_id: str | None = None) -> Sequence[Resource]:
        """Return the containers, networks and volumes of a run, or of any (PlatformError)."""
        with map_errors("looking for what is left"):
            return list(find(self._daemon, run_id))

    def remove(self, found: Sequence[Resource]) -> None:
        """Remove resources, those of a kind side by side: one that hangs keeps no other."""
        remove_all(self._daemon, list(found))

    def is_attended(self, one: Resource) -> bool:
        """Tell whether the run is not over, or has a warden here: its time, and whether its driver lives, tell that."""
        try:
            is_over = datetime.fromisoformat(one.labels[EXPIRES]).timestamp() < time.time()
            is_over = is_over or not is_alive(json.loads(one.labels[DRIVER]))
        except (KeyError, ValueError):
            # Not as Windtunnel labels it: whose it is cannot be known.
            return True
        return not is_over or has_warden(one.run_id)
