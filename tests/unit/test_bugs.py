"""What becomes of a run when Windtunnel itself, or the platform below it, is broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.recorded import events, outcome, stops
from windtunnel.backends.recording import Outcome, RecordingBackend
from windtunnel.errors import PlatformError
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord

RunRecorded = Callable[..., RunRecord]
GOOD = Outcome(output="rate=5")


class BrokenBackend(RecordingBackend):
    """A recording backend with a bug in one of its session's functions, or in `open` itself."""

    where = ""
    bug: BaseException = RuntimeError("oh no")

    def open(self, context: Any) -> Any:
        """Return a session in which one function raises."""

        def fail(*_arguments: object) -> Any:
            raise self.bug

        if self.where == "open":
            fail()
        session = super().open(context)
        setattr(session, self.where, fail)
        return session


PLACES = ["open", "start_service", "until_ready", "start_job", "wait", "stop", "close", "survivors", "created"]


@pytest.mark.parametrize("where", PLACES)
def test_a_bug_is_told_as_one(run_recorded: RunRecorded, client_server: str, where: str) -> None:
    """Exit 70 with the traceback in the cause, wherever it is; nothing is raised, and the record is written."""
    backend = BrokenBackend({"client": [GOOD]})
    backend.where = where
    record = run_recorded(client_server, backend)
    assert outcome(record)[:3] == (70, "failed", "internal")
    assert record.cause is not None
    assert "RuntimeError: oh no" in record.cause.message
    assert record.cause.log_tail[0] == "Traceback (most recent call last):"
    assert record.cause.log_tail[-1] == "RuntimeError: oh no"
    assert json.loads((Path(record.path or "") / "run.json").read_text(encoding="utf-8"))["exit_code"] == 70


def test_a_bug_is_told_once(run_recorded: RunRecorded, client_server: str) -> None:
    """There is one cause, and no note that repeats it."""
    backend = BrokenBackend({"client": [GOOD]})
    backend.where = "wait"
    record = run_recorded(client_server, backend)
    assert len(events(record, "cause")) == 1
    assert [line["message"] for line in events(record, "note")] == []


def test_a_bug_leaves_nothing_up(run_recorded: RunRecorded, client_server: str) -> None:
    """What was started is stopped, and what was measured is kept."""
    backend = BrokenBackend({"client": [GOOD]})
    backend.where = "wait"
    record = run_recorded(client_server, backend)
    assert stops(backend) == ["stop client", "stop server"]
    assert backend.calls[-1] == "close"
    assert record.metrics["rate"].values == [5]


def test_an_engines_own_interruption_is_handed_on(
    run_recorded: RunRecorded, client_server: str, tmp_path: Path
) -> None:
    """What is no ordinary exception is told in the record and then raised, after teardown."""
    backend = BrokenBackend({"client": [GOOD]})
    backend.where, backend.bug = "wait", KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        run_recorded(client_server, backend)
    (folder,) = (tmp_path / "runs").iterdir()
    assert outcome(RunFolder(folder).read_record()) == (130, "cancelled", "cancelled", "suspect")
    assert stops(backend) == ["stop client", "stop server"]


@pytest.mark.parametrize("where", ["close", "survivors"])
def test_a_teardown_that_cannot_be_verified_is_in_the_record(
    run_recorded: RunRecorded, client_server: str, where: str
) -> None:
    """A platform that is gone when it is asked what is left does not cost the result."""
    backend = BrokenBackend({"client": [GOOD]})
    backend.where, backend.bug = where, PlatformError("the platform is gone", code="gone")
    record = run_recorded(client_server + "\n[run]\nrepeats = 3\n", backend)
    assert record.metrics["rate"].n == 3
    assert record.exit_code != 0
    on_disk = RunFolder(Path(record.path or "")).read_record()
    assert on_disk == record
    assert on_disk.finished is not None
