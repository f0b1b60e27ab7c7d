"""What is heard of a cluster, and for how long nothing may be: against an API that is only played."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from windtunnel.backends.kubernetes import watcher as module
from windtunnel.backends.kubernetes.api import Cluster, Refused
from windtunnel.backends.kubernetes.outage import Patience
from windtunnel.backends.kubernetes.watcher import Watcher
from windtunnel.backends.notifier import Notifier
from windtunnel.errors import ExitCode, PlatformError, WindtunnelError
from windtunnel.run.control import Control

OUTAGE = 0.4
LATER = 2 * OUTAGE


class Stream:
    """An answer that tells of nothing for a while and is cut then, or when it is shut."""

    def __init__(self, seconds: float) -> None:
        self._mine, self._other = socket.socketpair()
        self._mine.settimeout(seconds)

    def stream(self, *_size: int, **_options: bool) -> Iterator[bytes]:
        """Be silent, then lose the connection."""
        with contextlib.suppress(TimeoutError):
            self._mine.recv(1)
        yield from ()
        raise OSError("reset")

    def release_conn(self) -> None:
        """Close the connection."""
        self._mine.close()
        self._other.close()

    def fileno(self) -> int:
        """Return the connection's number; it is -1 when it is closed."""
        return self._mine.fileno()


@dataclass
class Api:
    """An API that lists `things`, or refuses as `failures` say, the first ones first; watches are silent."""

    failures: list[Exception] = field(default_factory=list)
    things: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    silence: float = 60.0
    watches: list[dict[str, Any]] = field(default_factory=list)
    patience: Patience = field(default_factory=Patience)

    def path(self, kind: str) -> str:
        """Return where a kind is."""
        return kind

    def ask(self, _method: str, path: str, **_options: object) -> object:
        """List, or fail."""
        if self.failures and path == "Pod":
            raise self.failures.pop(0)
        return {"items": self.things.get(path, []), "metadata": {"resourceVersion": "1"}}

    def open(self, *_arguments: str, **options: object) -> Stream:
        """Watch."""
        self.watches.append(dict(options))
        return Stream(self.silence)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Make watchers of a played API, which give up soon and are closed afterwards."""
    monkeypatch.setattr(module, "OUTAGE_SECONDS", OUTAGE)
    monkeypatch.setattr(module, "NO_RIGHT_SECONDS", OUTAGE / 2)
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0.05)
    made: list[Watcher] = []

    def watch(api: Api, control: Control | None = None) -> Watcher:
        made.append(Watcher(Notifier(control or Control(60)), cast("Cluster", api), "x=y"))
        return made[-1]

    yield watch
    for each in made:
        each.close()


def test_a_silent_watch_that_breaks_off_is_no_outage(watched: Any) -> None:
    """A long benchmark in which nothing happens outlives a restart of the API like a short one."""
    api = Api(silence=LATER)
    watcher = watched(api)
    time.sleep(LATER - 0.2)
    api.failures = [ConnectionRefusedError("refused")] * 3
    time.sleep(LATER)

    assert not api.failures
    watcher.check()


@pytest.mark.parametrize(
    ("failure", "code"),
    [(ConnectionRefusedError("refused"), "api_lost"), (Refused(403, "pods is forbidden"), "forbidden")],
)
def test_an_api_that_stays_away_or_forbids_is_told(watched: Any, failure: Exception, code: str) -> None:
    """After an outage long, in its words; what is asked then, such as for the teardown, is not waited for so long."""
    api = Api(failures=[failure] * 1000)
    watcher = watched(api)

    assert not watcher.notifier.wait(lambda: False, LATER)
    with pytest.raises(PlatformError, match=str(failure)) as caught:
        watcher.check()
    assert caught.value.code == code
    assert api.patience.is_lost == (code == "api_lost")


def test_rights_that_come_a_moment_late_are_waited_for(watched: Any) -> None:
    """A server that has just started does not know all of them yet."""
    api = Api(failures=[Refused(403, "forbidden")] * 3)
    watcher = watched(api)
    time.sleep(LATER)

    assert not api.failures
    watcher.check()


def test_a_service_that_is_missing_from_the_list_was_removed(watched: Any) -> None:
    """One that was never there was not."""
    service = json.loads('{"metadata": {"name": "server"}}')
    api = Api(things={"Service": [service]}, silence=0.1)
    watcher = watched(api)
    assert watcher.notifier.wait(lambda: True, 0.1)
    time.sleep(0.05)
    assert not watcher.is_service_ending("server")
    api.things = {}

    assert watcher.notifier.wait(lambda: watcher.is_service_ending("server"), 5)
    assert not watcher.is_service_ending("other")


def test_a_watch_that_dies_of_a_bug_ends_the_run(watched: Any) -> None:
    """An object that nobody can read, such as one without metadata, is exit 70 at once, not a silence."""
    control = Control(60)
    watched(Api(things={"Pod": [{}]}), control)

    with pytest.raises(WindtunnelError, match="KeyError: 'metadata'") as caught:
        control.wait(30)
    assert caught.value.exit_code == ExitCode.BUG


def test_a_watch_whose_connection_was_forgotten_is_begun_anew_soon(watched: Any) -> None:
    """What lies between may drop a quiet connection and tell nobody: an end is heard of within 20 s all the same."""
    api = Api()
    watcher = watched(api)
    watcher.notifier.wait(lambda: len(api.watches) > 1, 10)

    assert {each["timeout"] for each in api.watches} == {20}
    assert {each["query"]["timeoutSeconds"] for each in api.watches} == {15}


def test_who_listens_to_a_pod_hears_of_each_change_before_others_wake(watched: Any) -> None:
    """At once too, since it may be there already; what others look at then is what was heard."""
    api = Api(things={"Pod": [{"metadata": {"name": "server"}}]}, silence=0.1)
    watcher = watched(api)
    heard: list[bool] = []
    watcher.listen("server", lambda: heard.append(watcher.view("server").is_removed))
    assert heard
    assert watcher.notifier.wait(lambda: len(heard) > 1, 5)
    api.things = {}

    assert watcher.notifier.wait(lambda: watcher.view("server").is_removed and heard[-1], 5)
