"""Reports of runs that left little: no samples, a driver that was killed at once, damaged files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.page import Page
from windtunnel.analysis.report import render
from windtunnel.backends.recording import Outcome, RecordingBackend
from windtunnel.run.driver import driver_identity
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord

RunRecorded = Callable[..., RunRecord]


def test_a_run_without_samples_has_a_report(run_recorded: RunRecorded, single_node: str) -> None:
    """It says that there are none, and draws no metric."""
    record = run_recorded(single_node, RecordingBackend())
    page = Page(render(RunFolder(Path(record.path or ""))))
    assert "invalid" in page.text
    assert "gave no samples" in page.text
    assert "Results" not in page.text
    assert [row[0] for row in page.rows("Iterations")] == ["iteration", "1"]


def test_a_run_that_hardly_began_has_a_report(new_folder: Callable[[str], RunFolder], single_node: str) -> None:
    """A driver that was killed at once left nothing but its first record."""
    folder = new_folder(single_node)
    driver = driver_identity() | {"ticks": 0}
    record = RunRecord(
        run_id="x", benchmark="b", strategy="s", engine="i", backend="r", status="running", driver=driver
    )
    folder.write_record(record)
    page = Page(render(folder))
    assert "lost" in page.text
    assert "svg" not in page.tags


@pytest.mark.usefixtures("undrawn")
def test_a_damaged_run_has_a_report(run_recorded: RunRecorded, single_node: str) -> None:
    """It says what is missing, and shows what there is; a newer version's keys are passed over."""
    record = run_recorded(single_node, RecordingBackend({"client": [Outcome(output="rate=7")]}))
    path = Path(record.path or "")
    for name in ("plan.json", "benchmark.toml", "environment.json"):
        (path / name).unlink()
    for name in ("samples.jsonl", "usage.jsonl", "events.jsonl"):
        with (path / name).open("a", encoding="utf-8") as file:
            file.write("[]\n")
    sample = '{"metric":"rate","value":7.0,"unit":"1/s","iteration":1,"time":5.0,"step":"client","host":"newer"}\n'
    (path / "samples.jsonl").write_text(sample + "{}\n", encoding="utf-8")
    usage = {"step": "client", "time": 1.0, "seconds": 1.0, "cpu": 0.5, "cpu_wait": None, "memory": 1, "processes": 1}
    (path / "usage.jsonl").write_text(json.dumps(usage | {"host": "newer"}) + "\n{}\n", encoding="utf-8")
    page = render(RunFolder(path))
    for words in ("plan.json: No such file", "samples.jsonl: 1 line", "usage.jsonl: 1 line", "events.jsonl: 1 line"):
        assert words in page
