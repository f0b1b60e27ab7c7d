"""What runs have on a platform: found, looked after or not, removed, and looked for again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.needs import package
from windtunnel.backends import BACKENDS, make_backend, resources
from windtunnel.backends.reap import reap_all
from windtunnel.backends.recording import RecordingBackend
from windtunnel.backends.resources import end_orphans, find_orphans, remove_all
from windtunnel.errors import PlatformError


@dataclass(frozen=True)
class Thing:
    """A resource of a run; it goes when it was asked to as often as it is stubborn."""

    run_id: str
    name: str
    stubborn: int = 1

    def __str__(self) -> str:
        return self.name


@dataclass
class Things:
    """A platform's resources: what is there, which runs somebody looks after, and what was asked to go."""

    there: list[Thing]
    attended: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    fails_at: int = 1000
    looks: int = 0

    def find(self, run_id: str | None = None) -> Sequence[Thing]:
        """Return what is left; the platform may be gone after some looks."""
        self.looks += 1
        if self.looks >= self.fails_at:
            raise PlatformError("the platform is gone")
        return [one for one in self.there if run_id in {None, one.run_id}]

    def remove(self, found: Sequence[Thing]) -> None:
        """Take away what was asked often enough."""
        self.asked += [one.name for one in found]
        self.there = [one for one in self.there if self.asked.count(one.name) < one.stubborn]

    def is_attended(self, one: Thing) -> bool:
        """Tell by the run."""
        return one.run_id in self.attended


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "LOOK_SECONDS", 0.0)


def test_what_somebody_looks_after_is_no_orphan() -> None:
    """It is left alone."""
    lost, kept = Thing("lost", "a"), Thing("kept", "b")
    things = Things([lost, kept], {"kept"})

    assert find_orphans(things) == [lost]
    assert end_orphans(things, [lost]) == []
    assert things.there == [kept]


def test_what_does_not_go_at_once_is_asked_again() -> None:
    """Until a look finds nothing."""
    things = Things([Thing("lost", "a", stubborn=3), Thing("lost", "b")])

    assert end_orphans(things, find_orphans(things)) == []
    assert things.asked == ["a", "b", "a", "a"]


def test_what_does_not_go_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is returned once its time is over, and was asked to go."""
    monkeypatch.setattr(resources, "GONE_SECONDS", 0.01)
    stuck = Thing("lost", "a", stubborn=1_000_000)
    things = Things([stuck])

    assert end_orphans(things, [stuck]) == [stuck]
    assert things.asked


def test_orphans_that_another_run_leaves_meanwhile_are_not_touched() -> None:
    """Nobody was told of them."""
    lost, other = Thing("lost", "a"), Thing("other", "b")
    things = Things([lost, other])

    assert end_orphans(things, [lost]) == []
    assert things.there == [other]


def test_what_goes_by_itself_is_not_removed_before_its_time() -> None:
    """It is looked at only."""
    going = Thing("run", "a")
    things = Things([going])
    looks = iter([[going], [going], []])

    assert remove_all(things, lambda: next(looks), seconds=60, wait=30) == []
    assert things.asked == []


def test_what_a_platform_that_is_lost_meanwhile_has_may_be_left() -> None:
    """It is told as left."""
    lost = Thing("lost", "a", stubborn=2)
    things = Things([lost], fails_at=3)

    assert end_orphans(things, find_orphans(things)) == [lost]


def test_a_platform_that_cannot_be_asked_keeps_no_other_from_being_reaped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its reason is told, and the orphans of the next one go."""
    things = Things([Thing("lost", "a")])
    platforms = {"broken": Things([], fails_at=1), "absent": None, "here": things}
    monkeypatch.setattr("windtunnel.backends.reap.BACKENDS", platforms)
    monkeypatch.setattr("windtunnel.backends.reap.make_backend", lambda name: Platform(platforms[name]))

    looked = reap_all(tmp_path / "runs", dry_run=True)
    assert (looked.found, looked.left, looked.unknown) == (["a"], [], ["the platform is gone"])
    assert things.there
    reaped = reap_all(tmp_path / "runs")
    assert (reaped.found, reaped.left, reaped.unknown) == (["a"], [], ["the platform is gone"])
    assert not things.there


class Platform(RecordingBackend):
    """A backend with some resources."""

    def __init__(self, things: Things | None) -> None:
        super().__init__()
        self._things = things

    def resources(self) -> Things | None:  # type: ignore[override]
        """Return them."""
        return self._things


@pytest.mark.parametrize("name", BACKENDS)
def test_a_platform_that_is_not_here_has_no_resources(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No daemon, no cluster, no Linux: that is no error."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonesuch/docker.sock")
    package("kubernetes")
    monkeypatch.setattr("windtunnel.backends.kubernetes.kubeconfig.is_configured", lambda: False)
    monkeypatch.setattr("sys.platform", "win32")
    assert make_backend(name).resources() is None
