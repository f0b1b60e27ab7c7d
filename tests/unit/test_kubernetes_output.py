"""A container's output on a cluster: whole however often the connection is lost, and told where it may not be."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.backends.kubernetes import output as module
from windtunnel.backends.kubernetes.api import Cluster, Refused
from windtunnel.backends.kubernetes.log_lines import Lines, Stamp
from windtunnel.backends.kubernetes.output import Output, Source
from windtunnel.backends.kubernetes.watcher import shut
from windtunnel.backends.notifier import Notifier
from windtunnel.backends.output import NO_END
from windtunnel.run.control import Control

STREAM = b"2026-01-01T00:00:00.1Z one\n2026-01-01T00:00:00.2Z \n2026-01-01T00:00:01Z a b\r\n2026-01-01T00:00:02Z end"
TEXT = b"one\n\na b\r\nend"


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000001Z"),
        ("2026-01-01T00:00:00.09Z", "2026-01-01T00:00:00.1Z"),
        ("2026-01-01T00:00:00.999999999Z", "2026-01-01T00:00:01Z"),
        ("no time", "2026-01-01T00:00:00Z"),
    ],
)
def test_times_of_lines_sort_though_zeros_are_left_out(earlier: str, later: str) -> None:
    """After a lost connection only later lines are written; a runtime writes fractions without their last zeros."""
    assert Stamp.parse(earlier).key < Stamp.parse(later).key


@given(st.lists(st.integers(0, len(STREAM))), st.lists(st.integers(0, len(STREAM)), max_size=4), st.data())
def test_lines_come_out_once_however_the_stream_is_cut(cuts: list[int], losses: list[int], data: st.DataObject) -> None:
    """Their times are taken off; a lost connection, within a line too, loses nothing and doubles nothing."""
    lines, found = Lines(), b""
    for end in [*sorted(losses), len(STREAM)]:
        lines.resume()
        second = lines.last.to_second[:-1].encode() if lines.last else b""
        begin = STREAM.index(second) if second else 0
        begin = data.draw(st.sampled_from([0, begin]))  # what the API repeats begins with that second, or before
        bounds = sorted({begin, *(cut for cut in cuts if begin < cut < end), max(begin, end)})
        found += b"".join(lines.take(STREAM[at:until]) for at, until in itertools.pairwise(bounds))
    lines.end()

    assert found == TEXT
    assert lines.last == Stamp.parse("2026-01-01T00:00:02Z")
    assert not lines.has_gap


def test_a_line_that_is_not_there_any_more_after_a_lost_connection_is_a_gap() -> None:
    """The node has begun a new file: what came between is missing, and what is there is taken."""
    lines = Lines()
    lines.resume()
    lines.take(b"2026-01-01T00:00:01Z one\n2026-01-01T00:00:02Z t")
    lines.resume()
    found = lines.take(b"2026-01-01T00:00:02.5Z three\n")

    assert found == b"three\n"
    assert lines.has_gap


def test_words_of_the_api_are_no_line_from_which_one_goes_on() -> None:
    """They have no time; the whole output would be read once more."""
    lines = Lines()
    lines.resume()
    found = lines.take(b"2026-01-01T00:00:01Z one\nunable to retrieve container logs\n")

    assert found == b"one\n"
    assert lines.last == Stamp.parse("2026-01-01T00:00:01Z")


class Answer:
    """An answer of pieces, with so many seconds before each, that is lost at its end or is not."""

    def __init__(self, *text: bytes, is_lost: bool = False, pause: float = 0.0) -> None:
        self.text, self.is_lost, self.pause = text, is_lost, pause

    def stream(self, *_size: int, **_options: bool) -> Iterator[bytes]:
        """Give one piece after the other."""
        for piece in self.text:
            time.sleep(self.pause)
            yield piece
        if self.is_lost:
            raise OSError("reset")

    def close(self) -> None:
        """Do nothing."""


class Logs:
    """A cluster of one container's output: its answers, one after the other; then its pod is gone."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.queries = list(answers), list[dict[str, str]]()

    def path(self, *_names: str) -> str:
        """Return where anything is."""
        return ""

    def open(self, *_arguments: str, query: dict[str, str], **_options: object) -> Answer:
        """Give the next answer."""
        self.queries.append(query)
        if not self.answers:
            raise Refused(404, "no such pod")
        return self.answers.pop(0)


def followed(path: Path, logs: Logs, *, is_over: bool = False) -> Output:
    """Return the output of a container that has ended, before its last answer or all along, once all of it came."""
    notifier, source = Notifier(Control(60)), Source("pod", "client")
    found = Output(cast("Cluster", logs), source, path / "log", lambda: is_over or not logs.answers, notifier)
    assert notifier.wait(lambda: found.has_ended, 30)
    return found


def line(seconds: float, text: str) -> bytes:
    """Return a line of the API's, which was printed so many seconds ago."""
    moment = time.time() - seconds
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{stamp}.{moment % 1:.9f} {text}\n".replace(".0.", ".").replace(" ", "Z ", 1).encode()


def test_an_output_goes_on_within_the_line_in_which_its_connection_was_lost(tmp_path: Path) -> None:
    """A number that was cut is no other number, and nothing is told."""
    text = line(1, "rate=12345")
    found = followed(tmp_path, Logs(Answer(text[:-4], is_lost=True), Answer(text)))

    assert (tmp_path / "log").read_text() == "rate=12345\n"
    assert found.trouble(is_over=True) is None


def test_an_output_whose_pod_is_gone_before_its_end_came_says_so(tmp_path: Path) -> None:
    """What it has may not be all."""
    assert followed(tmp_path, Logs(Answer(line(1, "a"), is_lost=True))).trouble(is_over=True) == NO_END
    assert followed(tmp_path, Logs(Answer(line(1, "a")))).trouble(is_over=True) is None


def test_an_output_that_ends_well_and_too_soon_is_read_again(tmp_path: Path) -> None:
    """The node's last line is asked for; as long as it is not there, more is to come."""
    first, last = line(2, "rate=1"), line(1, "rate=2")
    logs = Logs(Answer(first), Answer(last), Answer(first, last), Answer(last))
    found = followed(tmp_path, logs, is_over=True)

    assert found.path.read_text() == "rate=1\nrate=2\n"
    assert found.trouble(is_over=True) is None
    assert logs.answers == []


def test_an_output_whose_last_line_does_not_come_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cut, though each answer ended well."""
    monkeypatch.setattr(module, "WHOLE_SECONDS", 0.0)
    first, last = line(2, "rate=1"), line(1, "rate=2")
    found = followed(tmp_path, Logs(Answer(first), Answer(last), Answer(first), Answer(last)), is_over=True)

    assert found.trouble(is_over=True) == NO_END


def test_a_long_last_line_that_a_node_keeps_in_parts_is_whole(tmp_path: Path) -> None:
    """Its last part has a time of its own, later than the line's."""
    text = "x" * 40_000
    found = followed(tmp_path, Logs(Answer(line(2, text)), Answer(line(1, text[-100:]))), is_over=True)

    assert found.path.read_text() == f"{text}\n"
    assert found.trouble(is_over=True) is None


def test_an_output_that_a_node_has_no_longer_may_lack_lines(tmp_path: Path) -> None:
    """The line with which to go on is in a file that is not given any more."""
    logs = Logs(Answer(line(9, "a"), is_lost=True), Answer(line(2, "b")))

    assert "lines of its output may be missing" in str(followed(tmp_path, logs).trouble(is_over=True))


@pytest.mark.parametrize("words", [(), (b"unable to retrieve container logs for containerd://1",)])
@pytest.mark.parametrize(("is_lost", "trouble"), [(True, NO_END), (False, None)])
def test_an_output_that_is_removed_with_its_container_is_no_new_file_of_its_node(
    tmp_path: Path, words: tuple[bytes, ...], trouble: str | None, *, is_lost: bool
) -> None:
    """A server that is stopped takes its log with it; whether its end came is what the connection before tells."""
    found = followed(tmp_path, Logs(Answer(line(1, "a"), is_lost=is_lost), Answer(*words)))

    assert (tmp_path / "log").read_text() == "a\n"
    assert found.trouble(is_over=True) == trouble


WORDS = b"unable to retrieve container logs for containerd://1"


@pytest.mark.parametrize("pieces", [(WORDS,), (WORDS[:30], WORDS[30:]), (WORDS + b"\n", WORDS)])
def test_words_of_a_node_are_no_output_of_a_server_that_said_nothing(tmp_path: Path, pieces: tuple[bytes, ...]) -> None:
    """It was stopped, and its output was removed with its container before it was asked for again."""
    found = followed(tmp_path, Logs(Answer(), Answer(*pieces)))

    assert (tmp_path / "log").read_text() == ""
    assert found.trouble(is_over=True) is None


def test_an_output_that_was_removed_before_it_was_ever_read_says_so(tmp_path: Path) -> None:
    """Nobody knows what it was."""
    assert followed(tmp_path, Logs(Answer(WORDS))).trouble(is_over=True) == NO_END


@pytest.mark.parametrize(("size", "late", "words"), [(200, 0, "None"), (5, 30, "None"), (200, 30, "may be missing")])
def test_much_output_that_is_read_late_may_lack_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, late: float, words: str
) -> None:
    """The node begins new files meanwhile, and gives only the last one."""
    monkeypatch.setattr(module, "ROTATED_BYTES", 100)
    found = followed(tmp_path, Logs(Answer(line(5, "a"), line(5 + late, "x" * size))))

    assert words in str(found.trouble(is_over=True))


def test_an_output_of_which_more_comes_is_not_cut_short_at_its_containers_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only once nothing came for a while its connection is shut, to hear of the end sooner."""
    cut, is_cut = list[object](), threading.Event()

    def shut_answer(answer: object) -> None:
        cut.append(answer)
        is_cut.set()

    class Waiting(Answer):
        """One whose end does not come by itself."""

        def stream(self, *_size: int, **_options: bool) -> Iterator[bytes]:
            """Give what there is, and wait."""
            yield from self.text
            is_cut.wait(30)

    monkeypatch.setattr(module, "shut", shut_answer)
    monkeypatch.setattr(module, "_QUIET_SECONDS", 1e9)
    notifier, logs = Notifier(Control(60)), Logs(Waiting(line(1, "a")))
    found = Output(cast("Cluster", logs), Source("pod", "client"), tmp_path / "log", lambda: True, notifier)
    while not (tmp_path / "log").stat().st_size:
        time.sleep(0.01)
    found.finish()
    assert not cut
    monkeypatch.setattr(module, "_QUIET_SECONDS", 0.0)
    found.finish()
    assert notifier.wait(lambda: found.has_ended, 30)
    assert len(cut) == 1
    found.close()


def test_an_output_whose_reader_is_late_is_not_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has come and is not read yet is no silence: on a busy machine all of it would be asked for once more."""
    is_cut = threading.Event()
    monkeypatch.setattr(module, "shut", lambda _answer: is_cut.set())
    monkeypatch.setattr(module, "_QUIET_SECONDS", 0.0)
    near, far = socket.socketpair()

    class Late(Answer):
        """One of which some bytes wait to be read."""

        def stream(self, *_size: int, **_options: bool) -> Iterator[bytes]:
            """Give what there is, and wait."""
            yield from self.text
            is_cut.wait(30)

        def fileno(self) -> int:
            """Return the connection."""
            return near.fileno()

    with near, far:
        far.sendall(b"more")
        logs = Logs(Late(line(1, "a")))
        notifier = Notifier(Control(60))
        found = Output(cast("Cluster", logs), Source("pod", "client"), tmp_path / "log", lambda: True, notifier)
        while not (tmp_path / "log").stat().st_size:
            time.sleep(0.01)
        found.finish()
        assert not is_cut.is_set()
        near.recv(4)
        assert notifier.wait(lambda: found.has_ended, 30)
        assert is_cut.is_set()


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_who_shuts_an_answer_over_tls_has_its_reader_read_nothing_else() -> None:
    """What is on its way comes as it was sent, or not at all, but never as it is encrypted."""
    serving, asking = _without_certificate(ssl.PROTOCOL_TLS_SERVER), _without_certificate(ssl.PROTOCOL_TLS_CLIENT)
    size = 8 << 20
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=_answer, args=(listener, serving, size), daemon=True)
        server.start()
        pool: Any = urllib3.PoolManager(ssl_context=asking, cert_reqs="CERT_NONE")
        answer = pool.request("GET", f"https://127.0.0.1:{listener.getsockname()[1]}/", preload_content=False)
        stream = answer.stream(4096)
        found = next(stream)
        shut(answer)
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            for piece in stream:
                found += piece
        assert len(found) < size
        assert set(found) == set(b"x")
        pool.clear()


def _without_certificate(side: int) -> ssl.SSLContext:
    """Return one side of TLS that encrypts and knows nobody."""
    context = ssl.SSLContext(side)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AECDH-AES128-SHA:@SECLEVEL=0")
    return context


def _answer(listener: socket.socket, context: ssl.SSLContext, size: int) -> None:
    near, _address = listener.accept()
    with near, context.wrap_socket(near, server_side=True) as tls:
        tls.recv(65536)
        tls.sendall(b"HTTP/1.1 200 ok\r\nContent-Length: %d\r\n\r\n" % size)
        try:
            tls.sendall(b"x" * size)
        except OSError:
            return
