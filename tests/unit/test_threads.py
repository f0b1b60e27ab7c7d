"""A run's threads: one that dies ends the run, with what it died of."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.recorded import events, outcome, stops
from windtunnel.backends.recording import Outcome, RecordingBackend
from windtunnel.engines import execute
from windtunnel.errors import ExitCode, PlatformError, WindtunnelError
from windtunnel.run import journal
from windtunnel.run.control import Control
from windtunnel.run.events import Event
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord

RunRecorded = Callable[..., RunRecord]
FULL = PlatformError("no room", code="store_failed")


def fail(error: Exception) -> Callable[[], None]:
    """Return what raises an error."""

    def work() -> None:
        raise error

    return work


def test_a_thread_that_dies_is_a_bug() -> None:
    """Each that asks the run's control is told: exit 70, with the traceback; a wait ends at once."""
    control = Control(3600)
    began = time.monotonic()
    control.threads.start("usage", fail(KeyError("pid")))

    with pytest.raises(WindtunnelError, match=r"a bug of Windtunnel's: KeyError: 'pid'") as caught:
        control.wait(60)
    assert time.monotonic() - began < 30
    assert (caught.value.exit_code, caught.value.code) == (ExitCode.BUG, "internal")
    assert caught.value.log_tail[-1] == "KeyError: 'pid'"
    assert any("test_threads.py" in line for line in caught.value.log_tail)
    assert not control.is_cancelled


def test_an_error_with_a_cause_of_its_own_keeps_it() -> None:
    """A platform that is lost is no bug; the first failure counts."""
    control = Control(3600)
    control.threads.start("first", fail(FULL)).join()
    control.threads.start("second", fail(KeyError("pid"))).join()

    with pytest.raises(PlatformError) as caught:
        control.check()
    assert caught.value is FULL


def test_who_waits_is_woken_after_the_failure_is_known() -> None:
    """What is done at a thread's end finds the failure told."""
    control, found = Control(3600), []
    control.threads.start("usage", fail(KeyError("pid")), lambda: found.append(control.failure)).join()

    assert [type(failure) for failure in found] == [WindtunnelError]


def test_a_thread_that_comes_to_its_end_is_no_failure() -> None:
    """Its end is told, and the run goes on."""
    control, ends = Control(3600), []
    control.threads.start("usage", lambda: None, lambda: ends.append(1)).join()

    control.check()
    assert ends == [1]


def dying(control: Control, error: Exception) -> Callable[[Event], None]:
    """Return an observer that lets a thread of the run die once an iteration has begun."""

    def observe(event: Event) -> None:
        if event.type == "iteration_started":
            control.threads.start("usage", fail(error)).join()

    return observe


@pytest.mark.usefixtures("told_at_once")
@pytest.mark.parametrize("client", [Outcome(output="rate=5", hangs=True), Outcome(status=1), Outcome(output="rate=5")])
def test_a_run_ends_when_a_thread_of_its_own_dies(
    run_recorded: RunRecorded, client_server: str, client: Outcome
) -> None:
    """Exit 70, whatever the client does then; it is torn down as ever, and the traceback is in the record."""
    control, backend = Control(3600), RecordingBackend({"client": [client]})
    observers = [dying(control, KeyError("pid"))]
    record = run_recorded(client_server, backend, control=control, observers=observers)

    assert outcome(record)[:3] == (70, "failed", "internal")
    assert record.cause is not None
    assert record.cause.log_tail[-1] == "KeyError: 'pid'"
    assert stops(backend) == ["stop client", "stop server"]
    assert not [line for line in events(record, "note") if line["message"].startswith("also")]


@pytest.mark.usefixtures("told_at_once")
def test_a_thread_that_died_explains_what_fails_after_it(run_recorded: RunRecorded, single_node: str) -> None:
    """What comes of it, such as a step that cannot be started, is a note."""
    control = Control(3600)
    lost = PlatformError("the warden is gone", code="warden_lost", step="client")

    def observe(event: Event) -> None:
        if event.type == "iteration_starting":
            control.threads.start("warden", fail(KeyError("pid"))).join()

    backend = RecordingBackend({"client": [Outcome(error=lost)]})
    record = run_recorded(single_node, backend, control=control, observers=[observe])
    assert outcome(record)[:3] == (70, "failed", "internal")
    assert "also: the warden is gone" in [line["message"] for line in events(record, "note")]


@pytest.mark.usefixtures("told_at_once")
def test_what_fails_before_the_run_begins_starts_nothing(run_recorded: RunRecorded, client_server: str) -> None:
    """A store that is full from the beginning is no reason to start a server."""
    control, backend = Control(3600), RecordingBackend()
    record = run_recorded(
        client_server,
        backend,
        control=control,
        observers=[lambda event: control.fail(FULL) if event.type == "run_started" else None],
    )
    assert outcome(record)[:3] == (3, "failed", "store_failed")
    assert backend.calls == []


@pytest.mark.usefixtures("told_at_once")
def test_a_thread_that_dies_at_the_end_is_told_too(run_recorded: RunRecorded, single_node: str) -> None:
    """Also when nothing asks the control any more."""
    control = Control(3600)

    def observe(event: Event) -> None:
        if event.type == "measured":
            control.threads.start("usage", fail(FULL)).join()

    record = run_recorded(
        single_node, RecordingBackend({"client": [Outcome(output="rate=5")]}), control=control, observers=[observe]
    )
    assert outcome(record)[:3] == (3, "failed", "store_failed")


@pytest.mark.parametrize("error", [TypeError("unhashable"), SystemExit(1)])
def test_an_observer_that_fails_does_not_end_the_run(
    run_recorded: RunRecorded, single_node: str, error: BaseException
) -> None:
    """It is told no more, which a note says once; the others are told on."""
    told: list[Any] = []

    def broken(event: Event) -> None:
        told.append(event.type)
        raise error

    notes: list[str] = []
    record = run_recorded(
        single_node,
        RecordingBackend({"client": [Outcome(output="rate=5")]}),
        observers=[broken, lambda event: notes.append(event.message) if event.type == "note" else None],
    )
    assert outcome(record)[:3] == (0, "succeeded", None)
    assert told == ["run_started"]
    (note,) = [note for note in notes if "told no more" in note]
    assert "broken is told no more of this run" in note
    assert type(error).__name__ in note


def test_an_observer_that_is_stuck_holds_up_nothing(
    run_recorded: RunRecorded, single_node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a terminal that takes no more: samples are written, others are told, and the run comes to its end."""
    monkeypatch.setattr(journal, "CATCH_UP_SECONDS", 0.1)
    monkeypatch.setattr(execute, "JOIN_SECONDS", 0.1)
    release, is_told, control = threading.Event(), threading.Event(), Control(3600)

    def stuck(_event: Event) -> None:
        release.wait(60)

    def observe(event: Event) -> None:
        if event.type == "run_finished":
            is_told.set()

    record = run_recorded(
        single_node + "\n[run]\nrepeats = 3\n",
        RecordingBackend({"client": [Outcome(output="rate=5")]}),
        control=control,
        observers=[stuck, observe],
    )
    assert is_told.wait(60)
    left = control.threads.join(0)
    release.set()

    assert outcome(record)[:3] == (0, "succeeded", None)
    assert len(list(RunFolder(Path(record.path or "")).lines("samples"))) == 3
    assert [name for name in left if "stuck" in name]
    assert [line for line in events(record, "note") if "stuck' of this run has not ended" in line["message"]]
    assert control.threads.join(60) == []


def test_a_run_whose_observer_is_stuck_can_be_cancelled(
    run_recorded: RunRecorded, client_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is up is stopped, and the record tells it."""
    monkeypatch.setattr(journal, "CATCH_UP_SECONDS", 0.1)
    monkeypatch.setattr(execute, "JOIN_SECONDS", 0.1)
    release = threading.Event()

    def stuck(_event: Event) -> None:
        release.wait(60)

    def cancel(event: Event) -> None:
        if event.type == "iteration_started":
            control.cancel("by hand")

    control, backend = Control(3600), RecordingBackend({"client": [Outcome(hangs=True)]})
    record = run_recorded(client_server, backend, control=control, observers=[stuck, cancel])
    release.set()

    assert outcome(record)[:3] == (130, "cancelled", "cancelled")
    assert stops(backend) == ["stop client", "stop server"]


def test_a_run_leaves_no_thread(run_recorded: RunRecorded, client_server: str) -> None:
    """All that it started have ended when its record is given back, those of observers too."""
    before, control = set(threading.enumerate()), Control(3600)
    during: list[set[threading.Thread]] = []
    record = run_recorded(
        client_server,
        RecordingBackend({"client": [Outcome(output="rate=5")]}),
        control=control,
        observers=[lambda _event: during.append(set(threading.enumerate()) - before)],
    )
    assert outcome(record)[:3] == (0, "succeeded", None)
    assert max(map(len, during)) > 0
    assert set(threading.enumerate()) - before == set()


def test_a_thread_that_has_not_ended_is_told_by_its_name(
    run_recorded: RunRecorded, single_node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a bug, and costs a while and a note, not the result."""
    monkeypatch.setattr(execute, "JOIN_SECONDS", 0.1)
    release, control = threading.Event(), Control(3600)
    control.threads.start("forgotten", lambda: release.wait(60))
    record = run_recorded(single_node, RecordingBackend({"client": [Outcome(output="rate=5")]}), control=control)
    release.set()

    assert outcome(record)[:3] == (0, "succeeded", None)
    assert [line["message"] for line in events(record, "note")] == ["the thread 'forgotten' of this run has not ended"]


def test_a_thread_that_leaves_by_sys_exit_is_a_bug() -> None:
    """Python ends such a thread without a word."""
    control = Control(3600)
    control.threads.start("usage", sys.exit).join()

    with pytest.raises(WindtunnelError, match="SystemExit"):
        control.check()
