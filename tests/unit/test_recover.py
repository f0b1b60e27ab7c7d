"""The result of a run whose driver was killed."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from windtunnel.analysis.recover import recover
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord, Status
from windtunnel.run.samples import Sample


def record(status: Status) -> RunRecord:
    """Return a record as it is before anything was measured."""
    return RunRecord(run_id="x", benchmark="b", strategy="s", engine="inline", backend="recording", status=status)


@pytest.fixture
def folder(new_folder: Callable[[str], RunFolder], single_node: str) -> RunFolder:
    """The folder of a run in which two iterations and a half were measured."""
    folder = new_folder(single_node)
    for iteration, value in enumerate([9.0, 1.0, 3.0], start=1):
        sample = Sample("rate", value, "1/s", iteration, 5.0, "client", warmup=iteration == 1)
        folder.append("samples", sample.to_json())
    folder.append("events", {"type": "iteration_started"})
    folder.close()
    with (folder.path / "samples.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"metric":"rate","val')
    return folder


def test_a_lost_run_keeps_what_it_measured(folder: RunFolder) -> None:
    """Its whole samples are summarised, its numbers are suspect, and the reason is told."""
    found = recover(folder, record("lost"))
    assert found.metrics["rate"].values == [1.0, 3.0]
    assert found.metrics["rate"].unit == "1/s"
    assert (found.status, found.validity) == ("lost", "suspect")
    assert found.cause is not None
    assert found.cause.code == "lost"
    assert found.reasons == ["the driver of this run was killed before its end"]


@pytest.mark.parametrize(("events", "validity"), [([], None), (["iteration_started"], "invalid")])
def test_a_lost_run_without_samples_is_judged_by_how_far_it_came(
    new_folder: Callable[[str], RunFolder], single_node: str, events: list[str], validity: str | None
) -> None:
    """If a measuring command was started there is nothing to trust; if none was, there is no verdict."""
    folder = new_folder(single_node)
    for event in events:
        folder.append("events", {"type": event})
    found = recover(folder, record("lost"))
    assert (found.metrics, found.validity) == ({}, validity)


@pytest.mark.parametrize("status", ["running", "succeeded", "failed", "cancelled"])
def test_other_runs_are_left_as_they_are(folder: RunFolder, status: Status) -> None:
    """Only a lost run is put together from its samples."""
    assert recover(folder, record(status)) == record(status)


def test_what_a_lost_run_had_summarised_is_kept(folder: RunFolder) -> None:
    """A driver that was killed during teardown had written its metrics already."""
    summarised = recover(folder, record("lost"))
    again = recover(folder, summarised.model_copy(update={"reasons": ["its own"]}))
    assert again.reasons == ["its own"]


@pytest.mark.parametrize(
    "damaged",
    [
        '{"type": "iteration_finished"}',
        '{"type": "iteration_finished", "step": "client", "iteration": 1, "data": []}',
        '{"type": "iteration_finished", "step": "client", "iteration": 1, "data": {"unread": {"rate": 3}}}',
        '{"type": "iteration_finished", "step": "client", "iteration": 1, "data": {"attempts": {"wrk": [1]}}}',
    ],
)
def test_an_end_of_an_iteration_that_says_something_else_is_told(folder: RunFolder, damaged: str) -> None:
    """What the others say counts."""
    ended = {"type": "iteration_finished", "step": "client", "iteration": 2, "data": {"unread": {"rate": [1, 3]}}}
    (folder.path / "events.jsonl").write_text(f"{damaged}\n{json.dumps(ended)}\n", encoding="utf-8")
    found = recover(folder, record("lost"))
    assert found.reasons[1:] == [
        "1 of 3 values of rate could not be read",
        "events.jsonl: 1 line cannot be read; this is without",
    ]


def test_a_damaged_line_is_told_and_hides_no_other(folder: RunFolder) -> None:
    """What can be read is summarised."""
    text = (folder.path / "samples.jsonl").read_text(encoding="utf-8")
    first, *others = text.splitlines(keepends=True)
    (folder.path / "samples.jsonl").write_text("".join([first, "{cut\n", *others]), encoding="utf-8")
    (folder.path / "events.jsonl").write_text('{"type": "iteration_started"}\n[]\n{}\n', encoding="utf-8")
    found = recover(folder, record("lost"))
    assert found.metrics["rate"].values == [1.0, 3.0]
    assert found.reasons[1:] == [
        "samples.jsonl: 1 line cannot be read; this is without",
        "events.jsonl: 2 lines cannot be read; this is without",
    ]


@pytest.mark.parametrize(
    ("text", "words"), [(None, "No such file"), ("{cut", "it is no JSON"), ('{"schema_version": 99}', "version")]
)
def test_a_run_without_its_plan_is_told(folder: RunFolder, text: str | None, words: str) -> None:
    """Without the plan it is not known how its samples belong together."""
    (folder.path / "plan.json").unlink()
    if text is not None:
        (folder.path / "plan.json").write_text(text, encoding="utf-8")
    found = recover(folder, record("lost"))
    assert (found.metrics, found.validity) == ({}, "invalid")
    assert found.reasons[1].startswith("what was measured cannot be summarised: plan.json: ")
    assert words in found.reasons[1]
