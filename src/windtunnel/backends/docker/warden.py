"""The warden of a run on Docker: removes all that carries the run's label when nobody else does.

It is run by the agent's program in an isolated interpreter and talks to the daemon over its
socket with the standard library alone: so it stands before the driver has loaded the SDK, and
depends on nothing that an upgrade of that could break. The driver and ``reap`` use its
functions too.

The driver tells it, as the agent's `protocol` says, before it asks for a resource, after the
answer, and when the run is over::

    {"do": "create", "name": …}    {"do": "created", "name": …}    {"do": "end"}

Whatever ends the wait for the driver (`watchdog`): everything of the run is removed, until two
looks in a row find nothing. What was asked for and not answered is waited for, a minute at
most: the daemon may be about to make what the driver never heard of.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections import deque
from urllib.parse import quote

from windtunnel.backends.agent.watchdog import Watchdog
from windtunnel.backends.docker.daemon import CALL_SECONDS, NOT_FOUND, Daemon, DaemonError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

RUN_LABEL = "windtunnel.dev/run"
LOOK_SECONDS = 0.3
PENDING_SECONDS = 60.0
GIVE_UP_SECONDS = 600.0
ROUND_SECONDS = 60.0
AT_ONCE = 16
"""So many things of a kind are removed side by side: a daemon that is asked for hundreds answers none in time."""

_complaints: set[str] = set()


class Resource:
    """A container, network or volume that carries a run's label."""

    def __init__(self, kind: str, key: str, name: str, labels: Mapping[str, str]) -> None:
        self.kind, self.key, self.name, self.labels = kind, key, name, labels

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def run_id(self) -> str:
        """The run whose label it carries."""
        return self.labels[RUN_LABEL]

    def remove(self, daemon: Daemon) -> None:
        """Remove it, whatever runs in it or hangs on it; gone already is fine."""
        try:
            if self.kind == "container":
                daemon.call("DELETE", f"/containers/{self.key}?force=1&v=1")
            elif self.kind == "network":
                self.detach_all(daemon)
                daemon.call("DELETE", f"/networks/{self.key}")
            else:
                daemon.call("DELETE", f"/volumes/{quote(self.key)}?force=1")
        except DaemonError as error:
            if error.status != NOT_FOUND:
                raise

    def detach_all(self, daemon: Daemon) -> None:
        """Take off a network what is still on it, also what is not the run's."""
        for container in daemon.call("GET", f"/networks/{self.key}").get("Containers") or {}:
            with contextlib.suppress(DaemonError):
                daemon.call("POST", f"/networks/{self.key}/disconnect", {"Container": container, "Force": True})


def find(daemon: Daemon, run_id: str | None = None) -> Iterator[Resource]:
    """Yield all that carries a run's label (of any run if None), in the order in which it can be removed."""
    label = RUN_LABEL if run_id is None else f"{RUN_LABEL}={run_id}"
    filters = quote(json.dumps({"label": [label]}))
    for item in daemon.call("GET", f"/containers/json?all=1&filters={filters}"):
        yield Resource(
            "container", item["Id"], item["Names"][0].lstrip("/") if item["Names"] else item["Id"], item["Labels"]
        )
    for item in daemon.call("GET", f"/networks?filters={filters}"):
        yield Resource("network", item["Id"], item["Name"], item["Labels"])
    for item in daemon.call("GET", f"/volumes?filters={filters}").get("Volumes") or ():
        yield Resource("volume", item["Name"], item["Name"], item["Labels"])


def remove_all(daemon: Daemon, resources: list[Resource]) -> None:
    """Try to remove everything; one that cannot be, or hangs, does not keep the others.

    What there was no time for is there at the next look.
    """
    for kind in ("container", "network", "volume"):
        waiting = deque(resource for resource in resources if resource.kind == kind)
        threads = [
            threading.Thread(target=_remove_some, args=(daemon, waiting, time.monotonic() + ROUND_SECONDS), daemon=True)
            for _ in range(min(len(waiting), AT_ONCE))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(ROUND_SECONDS + CALL_SECONDS)


def _remove_some(daemon: Daemon, waiting: deque[Resource], deadline: float) -> None:
    while waiting and time.monotonic() < deadline:
        with contextlib.suppress(IndexError):  # another thread was faster
            try_remove(daemon, waiting.popleft())


def try_remove(daemon: Daemon, resource: Resource) -> None:
    """Try to remove one; the next look tells whether it worked."""
    try:
        resource.remove(daemon)
    except (DaemonError, OSError, ValueError) as error:
        complain(f"{resource}: {error}")
    except Exception as error:  # noqa: BLE001 - a bug in a thread, of which nobody else would hear
        complain(f"{resource}: a bug of Windtunnel's: {type(error).__name__}: {error}")


def complain(message: str) -> None:
    """Write down what went wrong, where the run keeps it; the same once, however often it is tried again."""
    if message not in _complaints:
        _complaints.add(message)
        sys.stderr.write(f"{message}\n")
        sys.stderr.flush()


def sweep(daemon: Daemon, run_id: str, looks: int = 2, pending: Iterable[str] = ()) -> bool:
    """Remove all of a run until so many looks in a row find nothing.

    Args:
        daemon: The daemon.
        run_id: The run.
        looks: How many.
        pending: Names of what may be about to be made; each is waited for, until it was found or a minute is over.

    Returns:
        Whether all is gone; False if the daemon does not answer, or keeps something, for ten minutes.
    """
    began = time.monotonic()
    missing, clean = set(pending), 0
    while clean < looks or (missing and time.monotonic() < began + PENDING_SECONDS):
        if time.monotonic() > began + GIVE_UP_SECONDS:
            return False
        try:
            found = list(find(daemon, run_id))
            remove_all(daemon, found)
            missing -= {resource.name for resource in found}
            clean = 0 if found else clean + 1
        except (DaemonError, OSError, ValueError) as error:
            complain(f"looking for what is left: {error}")
            clean, found = 0, []
        if clean < looks or missing:
            time.sleep(LOOK_SECONDS / 10 if found else LOOK_SECONDS)
    return True


class Watch(Watchdog):
    """The wait for the end of a run.

    Attributes:
        pending: Names of what was asked for and not answered.
        is_told: Whether the driver itself said that the run is over.
    """

    def __init__(self, driver: int, seconds: float) -> None:
        super().__init__(driver, seconds)
        self.pending: set[str] = set()
        self.is_told = False

    def obey(self, request: dict[str, Any]) -> None:
        """Take in what the driver tells."""
        deed = request["do"]
        if deed == "create":
            self.pending.add(request["name"])
        elif deed == "created":
            self.pending.discard(request["name"])
        elif deed == "end":
            self.is_told = self.is_over = True


def main() -> None:
    """Run with the driver's process id, seconds, and the run's id."""
    driver, seconds, run_id = sys.argv[1:]
    watch = Watch(int(driver), float(seconds))
    daemon = Daemon()
    watch.watch()
    # Nothing is in flight when the driver itself says that it is done: one look is enough then.
    sweep(daemon, run_id, 1 if watch.is_told else 2, watch.pending)
