"""A run's folder: whole files, whole lines, and nothing lost to a kill."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from windtunnel.errors import UsageError
from windtunnel.plan import Plan
from windtunnel.run.events import Event, EventType
from windtunnel.run.folder import RunFolder, new_run_id, tail
from windtunnel.run.record import RunRecord

NewFolder = Callable[[str], RunFolder]
RECORD = RunRecord(run_id="x", benchmark="b", strategy="s", engine="inline", backend="recording", status="running")


@pytest.fixture
def folder(new_folder: NewFolder, single_node: str) -> RunFolder:
    """The folder of a new run."""
    return new_folder(single_node)


@pytest.mark.parametrize("name", ["a", "a" * 40])
def test_a_run_id_is_a_dns_label(name: str) -> None:
    """It begins with the benchmark's name, has the time, and fits into 63 characters."""
    run_id = new_run_id(name)
    assert re.fullmatch(rf"{name}-\d{{8}}-\d{{6}}-[0-9a-f]{{4}}", run_id)
    assert len(run_id) <= 63


def test_a_new_folder_has_the_benchmark_and_its_plan(new_folder: NewFolder, single_node: str) -> None:
    """The text is as it was given, and the plan can be read again."""
    folder = new_folder(single_node)
    assert (folder.path / "benchmark.toml").read_text(encoding="utf-8") == single_node
    assert Plan.from_json(json.loads((folder.path / "plan.json").read_text(encoding="utf-8"))).benchmark == "alone"
    assert sorted(path.name for path in folder.path.iterdir() if path.is_dir()) == ["artifacts", "logs"]


def test_runs_of_the_same_second_have_their_own_folders(new_folder: NewFolder, single_node: str) -> None:
    """No run writes into another's folder."""
    assert len({new_folder(single_node).path for _ in range(20)}) == 20


def test_a_store_that_cannot_be_written_is_refused(
    tmp_path: Path, plan_of: Callable[[str], Plan], single_node: str
) -> None:
    """The message has the store and what the system said."""
    store = tmp_path / "file"
    store.write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match=f"cannot keep results in {store}/below: Not a directory"):
        RunFolder.create(store / "below", plan_of(single_node), single_node)
    with pytest.raises(UsageError, match=f"cannot keep results in {store}: File exists"):
        RunFolder.create(store, plan_of(single_node), single_node)


def test_a_line_is_on_disk_as_soon_as_it_is_appended(folder: RunFolder) -> None:
    """Another process can read it before the run has ended."""
    folder.append("samples", {"value": 1})
    assert (folder.path / "samples.jsonl").read_text(encoding="utf-8") == '{"value":1}\n'
    folder.close()


def test_a_line_that_a_kill_cut_short_is_left_out(folder: RunFolder) -> None:
    """All lines before it are there."""
    folder.append("samples", {"value": 1})
    folder.append("samples", {"value": 2})
    folder.close()
    path = folder.path / "samples.jsonl"
    whole = path.read_bytes()
    for length in range(len(whole) - 1, whole.index(b"\n"), -1):
        path.write_bytes(whole[:length])
        assert list(folder.lines("samples")) == [{"value": 1}]


def test_a_file_that_nobody_wrote_has_no_lines(folder: RunFolder) -> None:
    """A run without samples has none to read."""
    assert list(folder.lines("samples")) == []


def test_threads_do_not_mix_their_lines(folder: RunFolder) -> None:
    """Each line is whole, whichever thread writes."""

    def write(number: int) -> None:
        for count in range(100):
            folder.append("usage", {"thread": number, "count": count, "text": "x" * 200})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    folder.close()
    lines = list(folder.lines("usage"))
    assert len(lines) == 400
    for number in range(4):
        assert [line["count"] for line in lines if line["thread"] == number] == list(range(100))


def test_an_event_is_a_line_without_what_it_lacks(folder: RunFolder) -> None:
    """Time and type are always there; step, iteration, message and data where they say something."""
    folder.append("events", Event(EventType.RUN_STARTED, time=0.25).to_json())
    event = Event(EventType.CAUSE, "server", 2, "it died", {"code": "server_died"}, time=1.0)
    folder.append("events", event.to_json())
    folder.close()
    assert list(folder.lines("events")) == [
        {"time": "1970-01-01T00:00:00.250Z", "type": "run_started"},
        {
            "time": "1970-01-01T00:00:01.000Z",
            "type": "cause",
            "step": "server",
            "iteration": 2,
            "message": "it died",
            "data": {"code": "server_died"},
        },
    ]


def test_a_record_is_written_whole(folder: RunFolder) -> None:
    """It replaces the one before, leaves nothing beside it, and is read back equal."""
    folder.write_record(RECORD)
    folder.write_record(RECORD.model_copy(update={"status": "failed", "exit_code": 1}))
    assert folder.read_record() == RECORD.model_copy(update={"status": "failed", "exit_code": 1})
    assert [path.name for path in folder.path.iterdir() if path.name == ".run.json.tmp"] == []


@pytest.mark.parametrize("text", ["", "{}", "not json", "[]", '{"run_id": 7}'])
def test_what_is_no_record_is_refused(folder: RunFolder, text: str) -> None:
    """The message has the file's path."""
    (folder.path / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"run\.json: not a run's record"):
        folder.read_record()


def test_a_record_of_a_later_version_is_read(folder: RunFolder) -> None:
    """Fields that this version does not know are left alone."""
    folder.write_json("run.json", RECORD.model_dump(mode="json") | {"new_field": 1})
    assert folder.read_record() == RECORD


def test_logs_are_called_after_step_and_iteration(folder: RunFolder) -> None:
    """A service that lives through all iterations has no number."""
    assert folder.log("server") == folder.path / "logs" / "server.log"
    assert folder.log("client", 2) == folder.path / "logs" / "client.2.log"


def test_the_folder_of_the_current_folder_has_its_name(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is opened as ``.`` has the same id as by its path."""
    monkeypatch.chdir(folder.path)
    assert RunFolder(Path()).run_id == folder.run_id


def test_a_tail_is_the_last_lines_that_say_something(tmp_path: Path) -> None:
    """Empty lines do not count, control characters are taken out, and bytes that are no text do no harm."""
    path = tmp_path / "log"
    path.write_bytes(b"one\n\n  \ntwo\x1b[31m red\n\xff three\n\n")
    assert tail(path, 2) == ("two red", "� three")
    assert tail(path, 9)[0] == "one"


def test_a_tail_of_a_long_log_is_short(tmp_path: Path) -> None:
    """Only the end of a large file is read."""
    path = tmp_path / "log"
    path.write_text("".join(f"line {number}\n" for number in range(50_000)), encoding="utf-8")
    assert tail(path, 2) == ("line 49998", "line 49999")


def test_a_missing_log_has_no_tail(tmp_path: Path) -> None:
    """A step that never started has no last lines."""
    assert tail(tmp_path / "none") == ()
