"""When a run takes its turn on a target, and gives it back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from windtunnel.backends.base import RunContext
from windtunnel.backends.recording import Outcome, RecordingBackend
from windtunnel.cli import main
from windtunnel.engines import execute
from windtunnel.errors import Cancelled, PlatformError
from windtunnel.plan import Target
from windtunnel.run.control import Control
from windtunnel.run.events import Event
from windtunnel.run.record import RunRecord

RunRecorded = Callable[..., RunRecord]
TARGET = '\n[target]\nname = "box"\nwithin = "1h"\n'


class Turns:
    """A backend's turns, which write themselves among its calls.

    Args:
        monkeypatch: Makes them those of the backend.
        failures: What taking and confirming a turn raise.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **failures: Exception) -> None:
        self.backend = RecordingBackend({"client": [Outcome(output="rate=1")]})
        self.backend.traits = replace(self.backend.traits, targets="turns:Turn")
        self.failures = failures
        self.was_over: bool | None = None
        monkeypatch.setattr(execute, "load", lambda where: {"turns:Turn": self._take}[where])

    def _take(self, context: RunContext, target: Target) -> Turns:
        assert target == Target(name="box", within=3600.0)
        self.was_over = context.control.is_over
        self._do("take")
        return self

    def _do(self, what: str) -> None:
        self.backend.calls.append(what)
        if what in self.failures:
            raise self.failures[what]

    def confirm(self) -> None:
        """Write it down."""
        self._do("confirm")

    def close(self) -> None:
        """Write it down."""
        self._do("give back")


def test_a_run_has_its_turn_before_anything_is_made_and_until_all_is_gone(
    monkeypatch: pytest.MonkeyPatch, run_recorded: RunRecorded, single_node: str
) -> None:
    """It is asked whether it has it still, right before the first thing is made."""
    turns = Turns(monkeypatch)
    record = run_recorded(single_node + TARGET, turns.backend)
    assert record.exit_code == 0
    assert turns.backend.calls[:3] == ["take", "confirm", "open"]
    assert turns.backend.calls[-2:] == ["close", "give back"]


def test_a_run_that_is_cancelled_while_it_waits_makes_nothing(
    monkeypatch: pytest.MonkeyPatch, run_recorded: RunRecorded, single_node: str
) -> None:
    """Its record says so, and those who watch it heard of it before."""
    turns = Turns(monkeypatch, take=Cancelled("by hand"))
    told: list[Event] = []
    record = run_recorded(single_node + TARGET, turns.backend, observers=[told.append])
    assert (record.exit_code, record.status, record.resources.created) == (130, "cancelled", 0)
    assert turns.backend.calls == ["take"]
    assert [event.type.value for event in told] == ["run_started", "cause", "run_finished"]


def test_a_turn_that_was_lost_meanwhile_lets_nothing_be_made(
    monkeypatch: pytest.MonkeyPatch, run_recorded: RunRecorded, single_node: str
) -> None:
    """It ends as a failure of the platform."""
    turns = Turns(monkeypatch, confirm=PlatformError("lost", code="target_lost"))
    record = run_recorded(single_node + TARGET, turns.backend)
    assert record.exit_code == 3
    assert turns.backend.calls == ["take", "confirm", "give back"]


def test_a_run_without_a_target_takes_no_turn(
    monkeypatch: pytest.MonkeyPatch, run_recorded: RunRecorded, single_node: str
) -> None:
    """Runs go side by side then."""
    turns = Turns(monkeypatch)
    assert run_recorded(single_node, turns.backend).exit_code == 0
    assert turns.backend.calls[0] == "open"


def test_the_wait_is_none_of_the_runs_own_time(
    monkeypatch: pytest.MonkeyPatch, run_recorded: RunRecorded, single_node: str
) -> None:
    """The deadline's clock stands still meanwhile, and goes on with what was left."""
    turns = Turns(monkeypatch)
    control = Control(3600)
    with control.paused():
        assert control.left == float("inf")
    assert 3500 < control.left <= 3600
    options: dict[str, Any] = {"control": Control(0)}
    record = run_recorded(single_node + TARGET, turns.backend, **options)
    assert turns.was_over is False
    assert record.status == "timed_out"


def test_a_plan_shows_the_target(
    tmp_path: Path, single_node: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And how long a run waits for it."""
    monkeypatch.chdir(tmp_path)
    Path("b.toml").write_text(single_node + TARGET, encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["plan", "b.toml"])
    assert ended.value.code == 0
    assert "  alone on target box, waits at most 3600 s for its turn\n" in capsys.readouterr().out
