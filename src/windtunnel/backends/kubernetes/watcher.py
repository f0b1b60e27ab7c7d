"""What happens to a run's objects, heard from the API's watch the moment it happens."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from urllib3.exceptions import HTTPError

from windtunnel.backends.kubernetes.api import API_LOST, NO_RIGHT_SECONDS, OUTAGE_SECONDS, Cluster, Refused
from windtunnel.backends.kubernetes.pods import PodView, View
from windtunnel.backends.notifier import Notifier
from windtunnel.errors import PlatformError

_PAUSE_SECONDS = 0.2
_WATCH_SECONDS = 15
"""After so long a watch begins anew: what lies between may have forgotten its connection, and says nothing."""
_LATE_SECONDS = 5
"""How much later its end may be heard of."""
V = TypeVar("V", bound=View)


class Watcher:
    """Keeps the last state of the pods and Services that have some labels.

    Args:
        notifier: Told of each change.
        cluster: The cluster of the run.
        selector: Labels of the objects.

    Attributes:
        notifier: The same; threads wait for pods by it.
    """

    def __init__(self, notifier: Notifier, cluster: Cluster, selector: str) -> None:
        self.notifier = notifier
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self._pods = _Watch(cluster, "Pod", selector, PodView, self)
        self._services = _Watch(cluster, "Service", selector, View, self)

    def listen(self, pod: str, hear: Callable[[], None]) -> None:
        """Have `hear` called now, and by the watch's own thread after each change of a pod, before others wake."""
        self._listeners.setdefault(pod, []).append(hear)
        hear()

    def tell(self, pod: str) -> None:
        """Call those that listen to a pod."""
        for hear in tuple(self._listeners.get(pod, ())):
            hear()

    def view(self, pod: str) -> PodView:
        """Return what was told last of a pod."""
        return self._pods.views.get(pod, PodView())

    def views(self) -> Mapping[str, PodView]:
        """Return all pods by name, those that are gone too."""
        return dict(self._pods.views)

    def is_service_ending(self, name: str) -> bool:
        """Tell whether a Service that was there is being deleted, or gone."""
        return self._services.views.get(name, View()).is_ending

    def check(self) -> None:
        """Raise PlatformError if the API has not answered for too long, or does not let this user watch."""
        for watch in (self._pods, self._services):
            if watch.lost:
                raise watch.lost

    def close(self) -> None:
        """Hear no more."""
        watches = (self._pods, self._services)
        for watch in watches:
            watch.close()
        for watch in watches:
            watch.join()


class _Watch(Generic[V]):
    """Watches one kind of objects, in a thread of its own.

    Attributes:
        views: What was told last of each, by name.
        lost: Why nothing is heard any more, if so.
    """

    def __init__(self, cluster: Cluster, kind: str, selector: str, make: type[V], watcher: Watcher) -> None:
        self._cluster, self._kind, self._selector = cluster, kind, selector
        self._make, self._notify = make, watcher.notifier.notify
        self._tell = watcher.tell if kind == "Pod" else None
        self.views: dict[str, V] = {}
        self.lost: PlatformError | None = None
        self._closed = threading.Event()
        self._answer: Any = None
        self._heard = time.monotonic()
        self._thread = watcher.notifier.start_thread(f"kubernetes-watch-{kind}", self._hear_all)

    def close(self) -> None:
        """Hear no more, as soon as its thread has noticed."""
        self._closed.set()
        if self._answer is not None:
            # A thread that reads is only woken by the end of its connection.
            shut(self._answer)

    def join(self) -> None:
        """Wait for that thread, a second at most."""
        self._thread.join(1)

    def _hear_all(self) -> None:
        refusals = 0
        while not self._closed.is_set():
            try:
                self._hear(self._list())
            except Refused as error:
                problem = error.message
                refusals = refusals + 1 if error.is_final else 0
                if refusals * _PAUSE_SECONDS > NO_RIGHT_SECONDS:
                    self._lose(error.to_error(f"watching the run's {self._kind}s"))
                    return
            except (OSError, HTTPError, ValueError) as error:
                problem = str(error)
            else:
                continue
            if time.monotonic() > self._heard + OUTAGE_SECONDS and not self._closed.is_set():
                self._lose(PlatformError(f"the cluster's API does not answer: {problem}", code=API_LOST))
            self._closed.wait(_PAUSE_SECONDS)

    def _lose(self, error: PlatformError) -> None:
        self.lost = error
        self._cluster.patience.is_lost = error.code == API_LOST  # what follows does not wait so long once more
        self._notify()

    def _list(self) -> str:
        """Take in how all is now; return the version to hear on from."""
        found = self._cluster.ask("GET", self._cluster.path(self._kind), query={"labelSelector": self._selector})
        there = {item["metadata"]["name"]: item for item in found["items"]}
        for name, view in list(self.views.items()):
            if name not in there and view.data and not view.is_removed:
                self._put(name, self._make(view.data, is_removed=True))
        for name, item in there.items():
            self._put(name, self._make(item))
        self._heard = time.monotonic()
        self._notify()
        return str(found["metadata"]["resourceVersion"])

    def _hear(self, version: str) -> None:
        query = {
            "labelSelector": self._selector,
            "watch": "1",
            "resourceVersion": version,
            "timeoutSeconds": _WATCH_SECONDS,
        }
        path = self._cluster.path(self._kind)
        self._answer = self._cluster.open("GET", path, query=query, timeout=_WATCH_SECONDS + _LATE_SECONDS)
        if self._closed.is_set():
            # The thread that closed it did not see this connection.
            shut(self._answer)
        try:
            rest = b""
            for piece in self._answer.stream(65536, decode_content=True):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    self._take(json.loads(line))
                self._notify()
        finally:
            # Silence is no outage: it answered until now.
            self._heard = time.monotonic()
            self._answer.release_conn()

    def _take(self, event: Mapping[str, Any]) -> None:
        thing = event["object"]
        if event["type"] == "ERROR":
            raise ValueError(str(thing.get("message")))
        self._put(thing["metadata"]["name"], self._make(thing, is_removed=event["type"] == "DELETED"))

    def _put(self, name: str, view: V) -> None:
        self.views[name] = view
        if self._tell:
            self._tell(name)


def shut(answer: Any) -> None:
    """Shut the connection of an answer that another thread reads from, which comes to its end then."""
    # A TLS socket's own shutdown forgets the keys first: the reader would go on with what is still encrypted.
    with (
        contextlib.suppress(ValueError, AttributeError, OSError),
        socket.socket(fileno=os.dup(answer.fileno())) as twin,
    ):
        twin.shutdown(socket.SHUT_RD)
