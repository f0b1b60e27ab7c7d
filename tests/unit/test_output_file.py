"""How long the end of a container's output is waited for."""

from __future__ import annotations

from pathlib import Path

import pytest

from windtunnel.backends import output as module
from windtunnel.backends.notifier import Notifier
from windtunnel.backends.output import SILENT_SECONDS, OutputFile
from windtunnel.run.control import Control


class Counted(Notifier):
    """Counts how often it is told of a change."""

    def __init__(self) -> None:
        super().__init__(Control(60))
        self.told = 0

    def notify(self) -> None:
        """Count it."""
        self.told += 1


class Taken(OutputFile):
    """Takes what a test gives it."""

    def take(self, piece: bytes) -> None:
        """Append a piece."""
        self._write(piece)

    def end(self) -> None:
        """It is all there."""
        self._end()


def test_output_is_waited_for_as_long_as_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the container's end, and again from each piece, also an empty one; what does not come is told."""
    now, notifier = 100.0, Counted()
    monkeypatch.setattr(module, "time", type("Clock", (), {"monotonic": staticmethod(lambda: now)}))
    output = Taken(tmp_path / "client.log", notifier)
    died_at = now
    now += SILENT_SECONDS - 1
    assert output.is_awaited(died_at)
    output.take(b"late\n")
    now += SILENT_SECONDS - 1
    assert output.is_awaited(died_at)
    output.take(b"")
    now += SILENT_SECONDS - 1
    assert output.is_awaited(died_at)
    now += 2
    assert not output.is_awaited(died_at)
    assert output.trouble(is_over=False) is None
    assert output.trouble(is_over=True) == "the end of its output did not come"
    assert notifier.told == 0
    output.end()
    assert output.trouble(is_over=True) is None
    assert notifier.told == 1
    assert (tmp_path / "client.log").read_bytes() == b"late\n"


def test_output_that_cannot_be_written_is_told_and_taken_all_the_same() -> None:
    """A full disk does not keep a program from writing on."""
    output = Taken(Path("/dev/full"), Counted())
    output.take(b"lost\n")
    output.take(b"lost\n")
    output.end()

    assert output.trouble(is_over=True) == "its output could not be written: No space left on device"
