"""What happens to a run's pods, heard from the API's watch the moment it happens."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from urllib3.exceptions import HTTPError

from windtunnel.backends.kubernetes.calls import API_LOST, OUTAGE_SECONDS, Cluster, Refused
from windtunnel.backends.kubernetes.pods import PodView
from windtunnel.errors import PlatformError

_PAUSE_SECONDS = 0.2
_WATCH_SECONDS = 300


class Watcher:
    """Keeps the last state of the pods that have some labels, in a thread of its own. Any thread may wait.

    Args:
        cluster: Where they are.
        selector: Their labels.
    """

    def __init__(self, cluster: Cluster, selector: str) -> None:
        self._cluster, self._selector = cluster, selector
        self._changed = threading.Condition()
        self._views: dict[str, PodView] = {}
        self._is_closed = False
        self._lost: PlatformError | None = None
        self._answer: Any = None
        self._heard = time.monotonic()
        self._thread = threading.Thread(target=self._hear_all, name="kubernetes-watch", daemon=True)
        self._thread.start()

    def view(self, pod: str) -> PodView:
        """Return what was told last of a pod."""
        return self._views.get(pod, PodView())

    def views(self) -> Mapping[str, PodView]:
        """Return all pods by name, those that are gone too."""
        return dict(self._views)

    def check(self) -> None:
        """Raise PlatformError if the API has not answered for too long."""
        if self._lost:
            raise self._lost

    def notify(self) -> None:
        """Wake all who wait: something has changed."""
        with self._changed:
            self._changed.notify_all()

    def wait_change(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until `condition` holds, asked after each change; tell whether it does."""
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    def close(self) -> None:
        """Hear no more."""
        self._is_closed = True
        if self._answer is not None:
            # A thread that reads is only woken by the end of its connection.
            shut(self._answer)
        self._thread.join(1)

    def _hear_all(self) -> None:
        while not self._is_closed:
            try:
                self._hear(self._list())
            except Refused as error:
                problem = error.message
            except (OSError, HTTPError, ValueError) as error:
                problem = str(error)
            else:
                continue
            if time.monotonic() > self._heard + OUTAGE_SECONDS and not self._is_closed:
                self._lost = PlatformError(f"the cluster's API does not answer: {problem}", code=API_LOST)
                self.notify()
            time.sleep(_PAUSE_SECONDS)

    def _list(self) -> str:
        """Take in how all is now; return the version to hear on from."""
        found = self._cluster.ask("GET", self._cluster.path("Pod"), query={"labelSelector": self._selector})
        there = {item["metadata"]["name"]: item for item in found["items"]}
        for name, view in list(self._views.items()):
            if name not in there and view.data:
                self._views[name] = PodView(view.data, is_removed=True)
        self._views |= {name: PodView(item) for name, item in there.items()}
        self._heard = time.monotonic()
        self.notify()
        return str(found["metadata"]["resourceVersion"])

    def _hear(self, version: str) -> None:
        query = {
            "labelSelector": self._selector,
            "watch": "1",
            "resourceVersion": version,
            "timeoutSeconds": _WATCH_SECONDS,
        }
        self._answer = self._cluster.open("GET", self._cluster.path("Pod"), query=query, timeout=_WATCH_SECONDS + 30)
        try:
            rest = b""
            for piece in self._answer.stream(65536, decode_content=True):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    self._take(json.loads(line))
                self.notify()
        finally:
            self._answer.release_conn()

    def _take(self, event: Mapping[str, Any]) -> None:
        thing = event["object"]
        if event["type"] == "ERROR":
            raise ValueError(str(thing.get("message")))
        self._heard = time.monotonic()
        self._views[thing["metadata"]["name"]] = PodView(thing, is_removed=event["type"] == "DELETED")


def shut(answer: Any) -> None:
    """Shut the connection of an answer that another thread reads from."""
    with contextlib.suppress(ValueError, RuntimeError, OSError):
        answer.shutdown()
