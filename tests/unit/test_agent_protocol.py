"""The line protocol between a driver and an agent: who may speak, what is told, and what lines of any length cost."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from windtunnel.backends.agent import protocol
from windtunnel.backends.agent.channels import Pipe
from windtunnel.backends.agent.client import Client
from windtunnel.errors import PlatformError, WindtunnelError

HELLO = json.dumps({"hello": protocol.VERSION}) + "\n"


class Script:
    """A channel whose agent says what a test wants, once it was asked."""

    def __init__(self, *said: str, words: str = "") -> None:
        self.said, self._words = said, words
        self.asked = threading.Event()

    def write(self, _line: str) -> None:
        """Note that something was asked."""
        self.asked.set()

    def lines(self) -> Iterator[str]:
        """Say it."""
        assert self.asked.wait(10)
        yield from self.said

    def words(self) -> str:
        """Return what the agent wrote to its standard error."""
        return self._words

    def close(self) -> None:
        """Do nothing."""


def ask(channel: Script, hear: Callable[[dict[str, Any]], None] = lambda _event: None) -> dict[str, Any]:
    """Ask one question over a channel; a thread reads the answer, as in a run."""
    client = Client(channel, hear)

    def read() -> None:
        with contextlib.suppress(PlatformError, KeyError):
            client.read()

    threading.Thread(target=read).start()
    return client.ask("probe", 10)


@contextlib.contextmanager
def agent() -> Iterator[Client]:
    """Lend an agent of this machine, in an interpreter that has nothing installed."""
    program = Path(protocol.__file__).with_name("__main__.py")
    command = [sys.executable, "-I", "-S", str(program), "agent.request_handlers"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        pipe = Pipe(process)
        client = Client(pipe)
        reader = threading.Thread(target=client.read)
        reader.start()
        client.await_hello(30)
        yield client
        client.close()
        reader.join()
        pipe.close_output()


def test_an_agent_of_another_version_is_refused_in_words() -> None:
    """Exit 3: what it speaks, what this Windtunnel speaks, and what to do."""
    with pytest.raises(PlatformError) as caught:
        ask(Script('{"hello": 99}\n', '{"id": 1, "ok": true}\n'))

    assert caught.value.exit_code == 3
    assert caught.value.code == "agent_version"
    assert "it speaks version 99 of its protocol, and this one speaks version 1" in caught.value.message
    assert "install the same Windtunnel in both places" in caught.value.message


@pytest.mark.parametrize(
    "channel",
    [Script('{"id": 1, "ok": true}\n'), Script(words="/usr/bin/python: No module named windtunnel.backends.agent")],
    ids=["no hello", "no such module"],
)
def test_an_agent_of_before_there_were_versions_is_refused_too(channel: Script) -> None:
    """It answers without a hello, or is not there at all."""
    with pytest.raises(PlatformError, match="is of another Windtunnel"):
        ask(channel)


def test_who_waits_is_told_why_there_is_no_answer() -> None:
    """In the words that the lost agent left."""
    with pytest.raises(OSError, match="out of memory"):
        ask(Script(HELLO, words="out of memory"))


def test_a_bug_in_hearing_is_raised_where_an_answer_is_waited_for() -> None:
    """It neither hangs nor passes for a lost agent."""

    def hear(_event: dict[str, Any]) -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        ask(Script(HELLO, '{"event": "exited"}\n'), hear)


def test_a_bug_of_the_agents_is_told_as_one() -> None:
    """Exit 70 with its traceback, whatever asks; what a disk or a name does is an error of its own."""
    with agent() as client:
        missing = client.ask("read_result", 30, name="no-such", offset=0, length=1)
        with pytest.raises(WindtunnelError, match="a bug of Windtunnel's, in the agent: KeyError: 'dance'") as caught:
            client.ask("dance", 30)

    assert missing["error"].startswith("FileNotFoundError")
    assert caught.value.exit_code == 70
    assert caught.value.log_tail[0].startswith("Traceback")


def test_lines_of_several_writers_do_not_mix() -> None:
    """Each piece is written as a whole, whatever comes between; every line arrives."""
    long, other = {"id": 1, "data": "x" * 100_000}, {"id": 2, "data": "é" * 50_000}
    pieces = [list(protocol.cut(json.dumps(each).encode())) for each in (long, other)]
    short = next(protocol.cut(b'{"id": 3}'))
    mixed = [piece for pair in zip(*pieces, strict=False) for piece in (*pair, short)]
    mixed += [piece for each in pieces for piece in each[min(map(len, pieces)) :]]
    lines = protocol.Lines()
    found = [message for piece in mixed if (message := lines.take(piece.decode()))]

    assert all(len(piece) <= select.PIPE_BUF for piece in mixed)
    assert found.count({"id": 3}) == min(map(len, pieces))
    assert [each for each in found if each in (long, other)] in ([long, other], [other, long])
    assert not lines.begun


def test_answers_that_are_longer_than_a_pipe_takes_at_once_arrive_whole() -> None:
    """Eight questions at once, each answered by a thread of the agent's with a megabyte: what it cannot open, named."""
    names = [str(number) * 1_000_000 for number in range(8)]
    with agent() as client, ThreadPoolExecutor(len(names)) as pool:
        answers = list(pool.map(lambda name: client.ask("read_result", 60, name=name, offset=0, length=1), names))

    for name, answer in zip(names, answers, strict=True):
        assert f"/{name}.tar" in answer["error"]
