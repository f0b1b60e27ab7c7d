"""A disk that is full at a run's end: its record tells how it ended all the same."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from support.recorded import outcome
from windtunnel.backends.recording import Outcome, RecordingBackend
from windtunnel.run import spare
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord
from windtunnel.run.spare import LEAST_BYTES, Spare

RunRecorded = Callable[..., RunRecord]
GOOD = RecordingBackend({"client": [Outcome(output="rate=5")]})


@pytest.fixture
def full_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes no new file once something was measured; what was reserved before can be written."""
    write = Path.write_text

    def refuse(path: Path, text: str, *arguments: str, **options: str) -> int:
        if path.name == ".run.json.tmp" and '"status": "running"' not in text:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, text, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", refuse)


@pytest.mark.usefixtures("full_at_the_end")
def test_a_record_is_written_on_a_full_disk(run_recorded: RunRecorded, single_node: str) -> None:
    """It is the one that is returned, and nothing of what was reserved is left."""
    record = run_recorded(single_node, GOOD)
    folder = RunFolder(Path(record.path or ""))

    assert outcome(record)[:3] == (0, "succeeded", None)
    assert folder.read_record() == record
    assert not [path.name for path in folder.path.iterdir() if path.name.startswith(".")]


def test_a_disk_that_takes_no_file_is_told(
    run_recorded: RunRecorded, single_node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever file it is: no bug of Windtunnel's."""
    write = Path.write_text

    def refuse(path: Path, text: str, *arguments: str, **options: str) -> int:
        if path.name == ".environment.json.tmp":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, text, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", refuse)

    assert outcome(run_recorded(single_node, GOOD))[:3] == (3, "failed", "store_failed")


@pytest.mark.usefixtures("full_at_the_end")
def test_a_record_that_does_not_fit_is_written_without_its_metrics(
    run_recorded: RunRecorded, single_node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status, exit code and verdict stay, and a reason says where the samples are."""
    whole = Path(run_recorded(single_node, GOOD).path or "") / "run.json"
    monkeypatch.setattr(spare, "LEAST_BYTES", whole.stat().st_size - 50)
    monkeypatch.setattr(spare, "BYTES_PER_ITERATION", 0)
    record = run_recorded(single_node, GOOD)
    kept = RunFolder(Path(record.path or "")).read_record()

    assert outcome(kept) == outcome(record)
    assert record.metrics["rate"].values == [5]
    assert kept.metrics == {}
    assert kept.reasons[-1].startswith("the disk was full")


def test_a_run_that_cannot_tell_its_end_has_failed(
    run_recorded: RunRecorded, single_node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 3 in the object that is printed: its folder still says that it runs."""

    def refuse(_folder: RunFolder, record: RunRecord) -> None:
        if record.status != "running":
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(RunFolder, "write_record", refuse)
    record = run_recorded(single_node, GOOD)
    assert outcome(record)[:3] == (3, "failed", "store_failed")
    assert record.reasons[-1] == "results cannot be written: Input/output error"


def test_a_run_leaves_nothing_of_what_was_reserved(run_recorded: RunRecorded, single_node: str) -> None:
    """Also where it was not needed."""
    folder = Path(run_recorded(single_node, GOOD).path or "")
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_reserved_space_is_taken_and_given_back(tmp_path: Path) -> None:
    """It has blocks of its own, more for a longer run; a text that is too long for them is refused."""
    reserved = Spare(tmp_path / "spare", 10)
    assert (tmp_path / "spare").stat().st_blocks * 512 >= LEAST_BYTES + 10 * 1024
    with pytest.raises(OSError, match="No space left"):
        reserved.become(tmp_path / "target", "x" * (LEAST_BYTES + 10 * 1024 + 1))
    reserved.become(tmp_path / "target", "short")
    assert (tmp_path / "target").read_text(encoding="utf-8") == "short"
    reserved.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_a_record_of_a_run_that_goes_on_does_not_use_the_last_room(
    new_folder: Callable[[str], RunFolder], single_node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept for the end."""
    folder = new_folder(single_node)
    record = RunRecord(run_id="x", benchmark="x", strategy="x", engine="x", backend="x", status="running")

    def refuse(*_arguments: object, **_options: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(OSError, match="No space left"):
        folder.write_record(record)
    folder.write_record(record.model_copy(update={"status": "failed"}))
    assert folder.read_record().status == "failed"


@pytest.mark.parametrize(
    ("told", "user", "is_full"),
    [
        ((9, 0, 0), 0, True),
        ((9, 1, 0), 0, False),
        ((9, 1, 0), 1000, True),
        ((9, 2, 1), 1000, False),
        ((0, 0, 0), 0, False),
    ],
)
def test_a_disk_is_full_when_this_user_gets_no_more_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: tuple[int, int, int], user: int, *, is_full: bool
) -> None:
    """Root may use what is reserved for it; a file system that counts no blocks tells nothing."""
    room = SimpleNamespace(**dict(zip(("f_blocks", "f_bfree", "f_bavail"), told, strict=True)))
    monkeypatch.setattr("os.statvfs", lambda _path: room)
    monkeypatch.setattr("os.geteuid", lambda: user)
    assert RunFolder(tmp_path).is_full is is_full


def test_a_disk_that_is_full_after_an_iteration_ends_the_run(
    run_recorded: RunRecorded, single_node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the client printed may be missing, although all that was asked for could be written."""
    monkeypatch.setattr(RunFolder, "is_full", True)
    record = run_recorded(single_node + "\n[run]\nrepeats = 3\n", GOOD)
    assert outcome(record)[:3] == (3, "failed", "store_failed")
    assert record.metrics["rate"].n == 1
