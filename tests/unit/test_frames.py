"""A run as pandas data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import windtunnel
from windtunnel.backends.recording import Outcome, RecordingBackend
from windtunnel.errors import UsageError
from windtunnel.run.record import RunRecord

RunRecorded = Callable[..., RunRecord]
SAMPLE_COLUMNS = {"metric", "value", "unit", "iteration", "time", "step", "labels", "warmup"}


@pytest.fixture
def run(run_recorded: RunRecorded, single_node: str) -> windtunnel.Run:
    """A run of one warm-up and two kept iterations, with two samples each."""
    outcomes = [Outcome(output=f"rate={number}\nrate={number + 1}\n") for number in (10, 20, 30)]
    text = single_node + "\n[run]\nwarmup = 1\nrepeats = 2\n"
    return windtunnel.load_run(run_recorded(text, RecordingBackend({"client": outcomes})).path or "")


def test_samples_are_a_frame(run: windtunnel.Run) -> None:
    """There is one row a sample, with times that pandas understands."""
    frame = run.samples
    assert set(frame.columns) == SAMPLE_COLUMNS
    assert frame["value"].tolist() == [10, 11, 20, 21, 30, 31]
    assert frame["iteration"].tolist() == [1, 1, 2, 2, 3, 3]
    assert frame["warmup"].tolist() == [True, True, False, False, False, False]
    assert isinstance(frame["time"].dtype, pd.DatetimeTZDtype)
    assert frame.query("not warmup").groupby("iteration")["value"].median().tolist() == [20.5, 30.5]


def test_times_are_those_of_the_run(run: windtunnel.Run) -> None:
    """Samples and events lie between the run's beginning and its end."""
    begin, end = pd.Timestamp(run.record.started or ""), pd.Timestamp(run.record.finished or "")
    # The last event tells of the record, so it comes after what the record says.
    slack = pd.Timedelta(seconds=1)
    for frame in (run.samples, run.events):
        assert frame["time"].between(begin - slack, end + slack).all()


def test_events_are_a_frame(run: windtunnel.Run) -> None:
    """There is one row an event, from the beginning to the end."""
    assert {"time", "type", "step", "iteration", "message", "data"} <= set(run.events.columns)
    assert run.events["type"].iloc[0] == "run_started"
    assert run.events["type"].iloc[-1] == "run_finished"


def test_the_record_is_the_runs(run: windtunnel.Run) -> None:
    """It is what ``run.json`` says."""
    summary = run.record.metrics["rate"].model_dump()
    assert summary["values"] == [20.5, 30.5]
    assert run.folder.run_id == run.record.run_id


def test_a_run_without_samples_has_an_empty_frame(run_recorded: RunRecorded, single_node: str) -> None:
    """It has no rows, and the columns of any other run, so that the same analysis works."""
    run = windtunnel.load_run(run_recorded(single_node, RecordingBackend()).path or "")
    assert len(run.samples) == 0
    assert len(run.usage) == 0
    assert set(run.samples.columns) == SAMPLE_COLUMNS


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    """A folder without a record cannot be loaded."""
    with pytest.raises(UsageError, match="not a run's record"):
        windtunnel.load_run(tmp_path)


def test_the_package_has_no_other_names() -> None:
    """A name that is not offered is an AttributeError, as in any module."""
    with pytest.raises(AttributeError, match="'nonesuch'"):
        _ = windtunnel.nonesuch


def test_a_time_that_no_calendar_has_is_none(run: windtunnel.Run) -> None:
    """Runs from before such times were refused can be read all the same."""
    line = {**next(iter(run.folder.lines("samples"))), "time": 1e18}
    run.folder.append("samples", line)
    run.folder.close()
    assert run.samples["time"].isna().tolist() == [False] * 6 + [True]
