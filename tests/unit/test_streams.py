"""What a step wrote is read as a stream, within bounds of memory and time, and from files alone."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel import patterns
from windtunnel.backends.probes import LogReader
from windtunnel.errors import Cancelled, InvalidResult
from windtunnel.plan import MetricSpec
from windtunnel.run.extraction import Source, extract
from windtunnel.run.folder import tail
from windtunnel.run.output import CHUNK, LONGEST_LINE, NotAFile, open_file, open_to_append, read_chunks, split_lines
from windtunnel.run.tally import NOTES_KEPT, Tally

RATE = MetricSpec(name="rate", pattern=r"^rate=(\d+)$")
OTHER = MetricSpec(name="other", pattern=r"^other=(\d+)$")


def make_pipe(path: Path) -> None:
    """Make a named pipe."""
    os.mkfifo(path)


def make_device(path: Path) -> None:
    """Make a link to a device that never ends."""
    path.symlink_to("/dev/zero")


def make_socket(path: Path) -> None:
    """Make a socket's file."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.fixture(
    params=[
        pytest.param((make_pipe, "a named pipe"), id="pipe"),
        pytest.param((make_device, "a device"), id="device"),
        pytest.param((make_socket, "a socket"), id="socket"),
        pytest.param((Path.mkdir, "a folder"), id="folder"),
    ]
)
def no_file(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """Something that stands where a file should, and what it is called; short, since a socket's path has to be."""
    make: Callable[[Path], None]
    make, name = request.param
    monkeypatch.chdir(tmp_path)
    make(Path("log"))
    return Path("log"), name


def test_only_files_are_opened(no_file: tuple[Path, str]) -> None:
    """A pipe's reader would wait for its writer, and a device may have no end."""
    path, name = no_file
    with pytest.raises(NotAFile, match=f"{name} stands where a file should be"):
        open_file(path)
    assert tail(path) == ()


def test_nothing_is_appended_to_what_is_no_file(no_file: tuple[Path, str]) -> None:
    """A pipe's writer would wait for its reader; a device takes or refuses what is written at once."""
    path, name = no_file
    if name == "a device":
        open_to_append(path).close()
        return
    with pytest.raises(NotAFile, match=f"{name} stands where a file should be"):
        open_to_append(path)


def test_a_pipe_that_takes_a_files_place_at_the_last_moment_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was looked at before it was opened need not be what is opened."""
    (tmp_path / "file").touch()
    (tmp_path / "pipe").touch()
    seen = (tmp_path / "file").stat()
    (tmp_path / "pipe").unlink()
    make_pipe(tmp_path / "pipe")
    monkeypatch.setattr(Path, "stat", lambda _self: seen)
    with pytest.raises(NotAFile):
        open_file(tmp_path / "pipe")


@pytest.mark.parametrize("place", ["the output", r"\$WINDTUNNEL_METRICS"])
def test_a_result_that_is_no_file_is_an_invalid_one(no_file: tuple[Path, str], tmp_path: Path, place: str) -> None:
    """The error says where; what can be read is read all the same."""
    path, name = no_file
    good = tmp_path / "good"
    is_output = place == "the output"
    good.write_text('{"metric": "mine", "value": 1}\n' if is_output else "rate=1\n", encoding="utf-8")
    measurements = extract(Source([RATE], path if is_output else good, good if is_output else path, Tally("client", 1)))
    assert next(measurements).value == 1
    with pytest.raises(InvalidResult, match=f"^{place} cannot be read: {name} stands") as caught:
        next(measurements)
    assert caught.value.code == "unreadable_output"


def test_a_probe_of_a_log_that_is_no_file_is_a_no(no_file: tuple[Path, str]) -> None:
    """It answers at once."""
    path, name = no_file
    found = ask_log(path, "ready", LogReader())
    assert found == (False, f"the log cannot be read: {name} stands where a file should be")


def ask_log(log: Path, pattern: str, reader: LogReader) -> tuple[bool, str]:
    """Ask whether a log has a line."""
    answer = reader.ask(log, pattern, 5)
    return answer.ok, answer.detail


def test_a_pattern_that_takes_too_long_keeps_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The metrics beside it are read, and the error names the metric."""
    monkeypatch.setattr(patterns, "SECONDS", 0.02)
    log = tmp_path / "log"
    log.write_text("rate=1\n" + "1," * 2000 + "\nother=2\n", encoding="utf-8")
    slow = MetricSpec(name="slow", pattern=r"(?:.*?,){20}(\d+)z")
    measurements = extract(Source([RATE, slow, OTHER], log, None, Tally("client", 1)))
    assert [next(measurements).metric for _ in range(2)] == ["rate", "other"]
    with pytest.raises(InvalidResult, match="metric slow: its pattern takes too long") as caught:
        next(measurements)
    assert caught.value.code == "pattern_too_slow"


@pytest.mark.parametrize("metric", [RATE, MetricSpec(name=None, parser="wrk"), None])
def test_reading_asks_whether_it_may_go_on(tmp_path: Path, metric: MetricSpec | None) -> None:
    """Before each piece: so a deadline and Ctrl-C end it, whatever is read."""
    path = tmp_path / "log"
    path.write_bytes(b"x\n" * CHUNK)
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        list(extract(Source([metric] if metric else [], path, None if metric else path, Tally("client", 1), check)))
    assert asked == 2


def test_what_is_written_meanwhile_is_left_out(tmp_path: Path) -> None:
    """A program that writes faster than it is read does not keep the reader for good."""
    path = tmp_path / "log"
    path.write_bytes(b"a" * CHUNK * 2)
    read = 0
    for piece, _offset in read_chunks(path):
        read += len(piece)
        with path.open("ab") as file:
            file.write(b"b" * CHUNK)
    assert read == CHUNK * 2


@given(st.text(st.sampled_from("ab\r\n\x0c\u2028ö"), max_size=50), st.integers(1, 7))
def test_lines_are_those_of_a_text_file(tmp_path_factory: pytest.TempPathFactory, text: str, size: int) -> None:
    """Wherever the pieces are cut, also within a letter, or between CR and LF."""
    path = tmp_path_factory.getbasetemp() / "lines"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("windtunnel.run.output.CHUNK", size)
        assert list(split_lines(piece for piece, _offset in read_chunks(path))) == list(io.StringIO(text, newline=None))


def test_a_line_without_end_is_cut(tmp_path: Path) -> None:
    """Its begin is looked at, and the next line is whole."""
    path = tmp_path / "log"
    path.write_bytes(b"x" * (3 * LONGEST_LINE) + b"\nnext\n")
    first, second = split_lines(piece for piece, _offset in read_chunks(path))
    assert LONGEST_LINE <= len(first) <= LONGEST_LINE + CHUNK
    assert second == "next\n"


def test_a_line_of_the_metrics_file_that_is_too_long_is_noted(tmp_path: Path) -> None:
    """It is no measurement, and those beside it count."""
    path = tmp_path / "metrics"
    long = json.dumps({"metric": "m", "value": 1, "labels": {"x": "x" * LONGEST_LINE}})
    path.write_text(f'{{"metric": "m", "value": 1}}\n{long}\n{{"metric": "m", "value": 2}}\n', encoding="utf-8")
    source = Source([], tmp_path / "none", path, Tally("client", 1))
    assert [item.value for item in extract(source)] == [1, 2]
    assert source.tally.unread.total() == 1


def test_what_cannot_be_read_is_counted_and_the_first_ones_are_told(tmp_path: Path) -> None:
    """A million of them are no million sentences."""
    log = tmp_path / "log"
    log.write_text("rate=x\n" * 1000, encoding="utf-8")
    source = Source([MetricSpec(name="rate", pattern=r"rate=(\S)")], log, None, Tally("client", 1))
    assert list(extract(source)) == []
    assert (source.tally.unread.total(), len(source.tally.notes)) == (1000, NOTES_KEPT)


def test_a_log_is_read_on_from_where_it_was_read_to(tmp_path: Path) -> None:
    """A match across the two parts is found, and the middle of a line is not taken for its begin."""
    log, reader = tmp_path / "log", LogReader()
    log.write_bytes(b"x" * 200_000 + b" the server is re")
    assert ask_log(log, "server is ready", reader) == (False, "not in the output so far")
    with log.open("ab") as file:
        file.write("ady für alles\n".encode())
    assert ask_log(log, "^server is", reader)[0] is False
    assert ask_log(log, "server is ready für", reader)[0] is True


def test_a_long_log_is_not_read_again_at_each_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking costs what is new, not what there is."""
    log, reader = tmp_path / "log", LogReader()
    log.write_bytes(b"line\n" * 200_000)
    offsets: list[int] = []

    def spy(path: Path, offset: int = 0) -> object:
        offsets.append(offset)
        return read_chunks(path, offset)

    monkeypatch.setattr("windtunnel.backends.probes.read_chunks", spy)
    for _ in range(2):
        ask_log(log, "ready", reader)
    assert offsets == [0, 1_000_000 - patterns.SPAN]


READ_LARGE = """
import re, sys
from pathlib import Path
from windtunnel.parsers import PARSERS
from windtunnel.plan import MetricSpec
from windtunnel.run.extraction import Source, extract
from windtunnel.run.tally import Tally

def peak():
    # Not `ru_maxrss`, which has the memory of the process that started this one.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

before = peak()
metrics = [MetricSpec(name="rate", pattern=r"^rate=(\\d+)$"), *(MetricSpec(name=None, parser=name) for name in PARSERS)]
found = [item.value for item in extract(Source(metrics, Path(sys.argv[1]), None, Tally("x", 1)))]
print(found, (peak() - before) // 1024)
"""


@pytest.mark.long
@pytest.mark.parametrize("lines", [1, 500_000])
def test_a_large_output_is_read_in_little_memory(tmp_path: Path, lines: int) -> None:
    """A hundred megabytes of one line, or half a million lines, take less than thirty more for all parsers."""
    log = tmp_path / "log"
    with log.open("wb") as file:
        if lines == 1:
            file.truncate(100_000_000)  # a sparse file takes no room
            file.seek(0, os.SEEK_END)
        else:
            file.write(b"127.0.0.1 - - GET / HTTP/1.1: 200 in 0.001 s and so on and so forth\n" * lines)
        file.write(b"\nrate=7\n")
    command = [sys.executable, "-c", READ_LARGE, str(log)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    value, megabytes = done.stdout.split()
    assert value == "[7.0]"
    assert int(megabytes) < 30
