"""Counting what strace wrote, and what a report makes of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from windtunnel.backends import urgency
from windtunnel.backends.tracing import keep_trace
from windtunnel.run.folder import RunFolder
from windtunnel.run.system_calls import count_calls, load_traces

RECORD = """\
10    1790000000.000001 execve("/bin/sh", ["sh", "-c", "x"], 0x7ffd /* 3 vars */) = 0 <0.001000>
10    1790000000.000100 openat(AT_FDCWD, "/a) = -1 EPERM", O_RDONLY) = 3 <0.000010>
10    1790000000.000200 openat(AT_FDCWD, "/b", O_RDONLY) = -1 ENOENT (No such file or directory) <0.000020>
10    1790000000.000300 read(3,  <unfinished ...>
11    1790000000.000350 close(3)           = 0 <0.000002>
10    1790000000.000400 <... read resumed>"data", 100) = 4 <0.000500>
10    1790000000.000450 poll([{fd=3, events=POLLIN}], 1, 5000) = 1 ([{fd=3, revents=POLLIN}]) <0.250000>
10    1790000000.000500 poll([], 0, 5000) = ? ERESTART_RESTARTBLOCK (Interrupted by signal) <0.375030>
10    1790000000.000550 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=1, si_uid=0} ---
11    1790000000.000600 read(4,  <unfinished ...>) = ?
11    1790000000.000650 nanosleep({tv_sec=1000, tv_nsec=0},  <unfinished ...>
10    1790000000.000700 exit_group(0)      = ?
10    1790000000.000800 +++ exited with 0 +++
11    1790000000.000900 +++ killed by SIGKILL +++
12    17900000"""


def test_calls_errors_and_time_are_counted_by_system_call() -> None:
    """A call in two parts is one; what looks like an error within an argument is none; a cut line is left out."""
    trace = count_calls("client", RECORD.splitlines(keepends=True))
    found = {call.name: (call.calls, call.errors, round(call.seconds, 6)) for call in trace.system_calls}

    assert found == {
        "poll": (2, 1, 0.62503),
        "execve": (1, 0, 0.001),
        "read": (2, 0, 0.0005),
        "openat": (2, 1, 0.00003),
        "close": (1, 0, 0.000002),
        "exit_group": (1, 0, 0.0),
        "nanosleep": (1, 0, 0.0),
    }
    assert list(found) == ["poll", "execve", "read", "openat", "close", "exit_group", "nanosleep"]
    assert (trace.calls, trace.errors, round(trace.seconds, 6)) == (10, 2, 0.626562)
    assert [call.usual_error for call in trace.system_calls[:4]] == ["ERESTART_RESTARTBLOCK", None, None, "ENOENT"]


def test_the_starts_of_a_step_are_added_up(new_folder: Callable[[str], RunFolder], single_node: str) -> None:
    """Each has a record and a summary of its own; what was not traced has none."""
    folder = new_folder(single_node)
    for label, step in (("client.1", "client"), ("client.2", "client"), ("server", "server")):
        raw = folder.path / "raw"
        raw.write_text(RECORD)
        keep_trace(raw, folder.path / "artifacts" / label, step)
    keep_trace(folder.path / "raw", folder.path / "artifacts" / "client.3", "client")

    client, server = load_traces(folder)
    assert (client.step, client.starts, client.calls, client.errors) == ("client", 2, 20, 4)
    assert (server.step, server.starts, server.calls) == ("server", 1, 10)
    assert client.system_calls[0].failures == {"ERESTART_RESTARTBLOCK": 2}
    assert not (folder.path / "artifacts" / "client.3").exists()
    summary = json.loads((folder.path / "artifacts" / "server" / "strace.json").read_text())
    assert summary["system_calls"][3] == {"name": "openat", "calls": 2, "seconds": 0.00003, "errors": {"ENOENT": 1}}


@pytest.mark.parametrize("line", ["", "\n", "strace: Process 12 attached\n", "10 x read(\n", "read(3) = 0 <0.1>\n"])
def test_what_is_no_call_is_left_out(line: str) -> None:
    """A record that was cut short or has a word of the tracer's own is still one."""
    assert count_calls("client", [line]).calls == 0


def test_a_record_that_is_not_there_is_no_trace(tmp_path: Path) -> None:
    """A container that was removed leaves nothing to count."""
    keep_trace(tmp_path / "raw", tmp_path / "artifacts", "client")

    assert not (tmp_path / "artifacts").exists()


@pytest.mark.parametrize("calls", [0, 2])
def test_in_a_hurry_the_record_is_kept_as_it_is(tmp_path: Path, calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither compressing it nor counting it keeps anybody waiting for long."""
    monkeypatch.setattr(urgency, "HURRY_SECONDS", 0.0)
    asked = itertools.count()
    (tmp_path / "raw").write_text("1 1.0 write(1) = 1 <0.1>\n" * 9, encoding="utf-8")
    keep_trace(tmp_path / "raw", tmp_path / "artifacts", "client", lambda: next(asked) >= calls)

    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == ["strace.txt"]
    assert not (tmp_path / "raw").exists()


def test_in_a_hurry_a_short_record_is_still_counted(tmp_path: Path) -> None:
    """It takes no time."""
    (tmp_path / "raw").write_text("1 1.0 write(1) = 1 <0.1>\n", encoding="utf-8")
    keep_trace(tmp_path / "raw", tmp_path / "artifacts", "client", lambda: True)

    assert (tmp_path / "artifacts" / "strace.json").exists()
