"""What is cut short when somebody asks twice to stop."""

from __future__ import annotations

import io
import itertools
import tarfile
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from support.pod_tasks import pod_task
from windtunnel.backends import urgency
from windtunnel.backends.kubernetes.pods import PodView
from windtunnel.backends.kubernetes.results import Results
from windtunnel.backends.urgency import HurryError, unhurried

PIECE = 4096


def test_work_goes_on_while_nobody_is_in_a_hurry() -> None:
    """All of it is done."""
    assert list(unhurried(range(3), lambda: False)) == [0, 1, 2]


def test_work_that_is_soon_done_is_done_in_a_hurry_too() -> None:
    """It has a moment."""
    assert list(unhurried(range(3), lambda: True)) == [0, 1, 2]


def test_work_that_takes_longer_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment begins when somebody is in a hurry."""
    monkeypatch.setattr(urgency, "HURRY_SECONDS", 0.0)
    done: list[int] = []
    asked = itertools.count()

    def work() -> None:
        done.extend(unhurried(range(9), lambda: next(asked) >= 2))

    with pytest.raises(HurryError):
        work()
    assert next(asked) == 3


@pytest.fixture
def archive() -> bytes:
    """What a pod sent: four files."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as packed:
        for name in "abcd":
            entry = tarfile.TarInfo(f"results/client/out/{name}")
            entry.size = 50_000
            packed.addfile(entry, io.BytesIO(name.encode() * entry.size))
    return target.getvalue()


@pytest.mark.parametrize(("share", "kept"), [(0.0, set()), (0.4, {"a", "b"}), (1.1, set("abcd"))])
def test_what_came_from_a_pod_until_then_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: bytes, share: float, kept: set[str]
) -> None:
    """The rest of a large output is not waited for; a note tells."""
    monkeypatch.setattr(urgency, "HURRY_SECONDS", 0.0)
    asked = itertools.count()

    def read(_name: str, _size: int, target: Path, check: Callable[[], None]) -> None:
        with target.open("wb") as file:
            for begin in range(0, len(archive), PIECE):
                check()
                file.write(archive[begin : begin + PIECE])

    agent = Mock(result_size=lambda *_: len(archive), read_result=read)
    journal = Mock()
    resources = Mock(results=Results(agent, Mock(path=tmp_path), journal))
    type(resources.context.control).is_urgent = property(lambda _self: next(asked) >= share * len(archive) / PIECE)
    task = pod_task(PodView(), resources=resources)
    task.collect_seconds = 1

    assert not task.collect(tmp_path / "results").lack
    assert {path.name for path in (tmp_path / "results" / "out").glob("*")} == kept
    assert journal.note.called == (share < 1)
