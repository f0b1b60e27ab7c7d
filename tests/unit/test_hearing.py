"""How long the end of a container's output is waited for."""

from __future__ import annotations

from pathlib import Path

import pytest

from windtunnel.backends import hearing
from windtunnel.backends.hearing import SILENT_SECONDS, OutputFile


def test_output_is_waited_for_as_long_as_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the container's end, and again from each piece, also one that has nothing new."""
    now = 100.0
    monkeypatch.setattr(hearing, "time", type("Clock", (), {"monotonic": staticmethod(lambda: now)}))
    file = OutputFile(tmp_path / "client.log")
    died_at = now
    now += SILENT_SECONDS - 1
    assert file.is_awaited(died_at)
    file.write(b"late\n")
    now += SILENT_SECONDS - 1
    assert file.is_awaited(died_at)
    file.write(b"")
    now += SILENT_SECONDS - 1
    assert file.is_awaited(died_at)
    now += 2
    assert not file.is_awaited(died_at)
    file.close()
    assert (tmp_path / "client.log").read_bytes() == b"late\n"
