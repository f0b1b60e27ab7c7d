"""The removal of all that a run has on Docker, against a daemon that is only played."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from windtunnel.backends.docker import warden
from windtunnel.backends.docker.daemon import Daemon, DaemonError


class LateDaemon(Daemon):
    """A daemon that makes a container at the fifth look at containers, and refuses to remove it at first."""

    def __init__(self) -> None:
        super().__init__({})
        self.looks = self.refusals = 0
        self.is_there = False

    def call(self, method: str, path: str, body: object = None, timeout: float = 0) -> Any:
        """Answer as a daemon would."""
        del body, timeout
        if method == "DELETE":
            self.refusals += 1
            if self.refusals < 3:
                raise DaemonError(409, "removal is in progress")
            self.is_there = False
            return None
        if not path.startswith("/containers"):
            return {} if path.startswith("/volumes") else []
        self.looks += 1
        self.is_there = self.is_there or self.looks == 5
        return [{"Id": "1", "Names": ["/late"], "Labels": {}}] if self.is_there else []


@pytest.mark.parametrize(("pending", "looks"), [((), 2), (("late",), 9)])
def test_what_was_asked_for_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, pending: tuple[str, ...], looks: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The warden looks on until it was found, and until it is gone; else two looks are enough.

    Why it is not gone yet is told once.
    """
    monkeypatch.setattr(warden, "_complaints", set())
    monkeypatch.setattr(warden, "LOOK_SECONDS", 0.001)
    daemon = LateDaemon()

    assert warden.sweep(daemon, "run", pending=pending)
    assert daemon.looks == looks
    assert capsys.readouterr().err.count("container late: removal is in progress") == (1 if pending else 0)


def test_a_wait_for_what_never_comes_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that the daemon never got."""
    monkeypatch.setattr(warden, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(warden, "PENDING_SECONDS", 0.05)

    assert warden.sweep(LateDaemon(), "run", pending=("never",))


class CrowdedDaemon(Daemon):
    """A daemon of many containers; it answers those that want the first one removed when the others are gone."""

    def __init__(self, containers: int) -> None:
        super().__init__({})
        self.left = set(range(containers))
        self.asked = self.most = 0
        self.changed = threading.Condition()

    def call(self, method: str, path: str, body: object = None, timeout: float = 0) -> Any:
        """Answer as a daemon would."""
        del body, timeout
        if method == "GET":
            with self.changed:
                found = sorted(self.left) if path.startswith("/containers") else []
            return {} if path.startswith("/volumes") else [{"Id": str(n), "Names": [], "Labels": {}} for n in found]
        number = int(path.removeprefix("/containers/").partition("?")[0])
        with self.changed:
            self.asked += 1
            self.most = max(self.most, self.asked)
            if number == 0:
                assert self.changed.wait_for(lambda: self.left == {0}, 60)
            self.left.discard(number)
            self.asked -= 1
            self.changed.notify_all()
        return None


def test_of_very_many_resources_a_few_are_removed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is long in going keeps no other."""
    monkeypatch.setattr(warden, "LOOK_SECONDS", 0.001)
    daemon = CrowdedDaemon(500)

    assert warden.sweep(daemon, "run")
    assert daemon.left == set()
    assert 1 < daemon.most <= warden.AT_ONCE
