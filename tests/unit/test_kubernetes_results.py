"""What a pod's collector sends of what its step wrote, and what the driver makes of it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import cast
from unittest.mock import Mock

import pytest

from support.pod_tasks import pod_task
from windtunnel.backends.agent import collector
from windtunnel.backends.kubernetes.pods import PodView
from windtunnel.backends.kubernetes.results import Results
from windtunnel.backends.platform import Collected


def collected(results: Path, monkeypatch: pytest.MonkeyPatch, work: Path) -> Collected:
    """Return what came of a pod's folder, packed by its collector and fetched by the driver."""
    work.mkdir()
    monkeypatch.setattr(collector, "RESULTS", results)
    archive = io.BytesIO()
    collector.pack(cast("io.RawIOBase", archive), {"host.json": b"{}"})
    data = archive.getvalue()

    def read(_name: str, _size: int, target: Path, _check: Callable[[], None]) -> None:
        target.write_bytes(data)

    agent = Mock(result_size=lambda *_: len(data), read_result=read)
    resources = Mock(results=Results(agent, Mock(path=work), Mock()))
    resources.context.control.is_urgent = False
    task = pod_task(PodView(), resources=resources)
    task.collect_seconds = 1
    return task.collect(work / "collected")


@pytest.mark.parametrize(
    "put",
    [Path.mkdir, os.mkfifo, lambda place: place.symlink_to("/etc/hostname")],
    ids=["folder", "pipe", "link"],
)
def test_metrics_that_are_no_file_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, put: Callable[[Path], object]
) -> None:
    """Nothing of them is sent but that they are there: a run without them would be called valid."""
    out = tmp_path / "results" / "client" / "out"
    out.mkdir(parents=True)
    (out / "kept").write_text("kept")
    put(tmp_path / "results" / "client" / "metrics.jsonl")
    found = collected(tmp_path / "results", monkeypatch, tmp_path / "work")

    assert PurePosixPath("metrics.jsonl") in found.others
    assert sorted(path.name for path in (tmp_path / "work" / "collected").rglob("*")) == ["kept", "out"]
    assert not found.lack


def test_another_steps_metrics_are_none_of_a_steps_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server in its client's pod may have what it likes there."""
    for folder in ("client/out", "server/metrics.jsonl"):
        (tmp_path / "results" / folder).mkdir(parents=True)

    assert collected(tmp_path / "results", monkeypatch, tmp_path / "work").others == {
        PurePosixPath("."),
        PurePosixPath("out"),
    }
