"""The inline engine's walk: what is called in which order, and what is written when."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from windtunnel.backends.recording import Outcome, RecordingBackend, RecordingPlatform
from windtunnel.backends.running import Running
from windtunnel.backends.session import Session
from windtunnel.errors import InvalidResult, PlatformError
from windtunnel.parsers import Measurement
from windtunnel.run.control import Control
from windtunnel.run.events import Event, EventType
from windtunnel.run.extraction import Source, extract
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord

RunRecorded = Callable[..., RunRecord]
RATES = {"client": [Outcome(output="rate=1"), Outcome(output="rate=2"), Outcome(output="rate=3")]}
CACHE = '\n[servers.cache]\ncommand = ["redis", "$PORT"]\nport = 0\n'


def run_table(*, warmup: int = 0, repeats: int = 1, fresh: bool = False) -> str:
    """Return a run table."""
    return f"\n[run]\nwarmup = {warmup}\nrepeats = {repeats}\nfresh = {str(fresh).lower()}\n"


def steps(backend: RecordingBackend) -> list[str]:
    """Return what was asked between open and close, and check that these are the first and the last."""
    calls = backend.calls
    first_close = calls.index("close")
    assert calls[0] == "open"
    assert set(calls[first_close:]) == {"close"}
    return calls[1:first_close]


def iteration(label: str) -> list[str]:
    """Return what one iteration of the client asks for."""
    return [f"start client.{label}", "stop client"]


def test_a_single_node_is_its_iterations(run_recorded: RunRecorded, single_node: str) -> None:
    """Warm-up comes first, then the kept ones, each a start of its own."""
    backend = RecordingBackend(RATES)
    record = run_recorded(single_node + run_table(warmup=1, repeats=2), backend)
    assert steps(backend) == [*iteration("1"), *iteration("2"), *iteration("3")]
    assert record.metrics["rate"].values == [2, 3]


def test_a_server_lives_through_all_iterations(run_recorded: RunRecorded, client_server: str) -> None:
    """It is started and ready before the first, and stopped after the last."""
    backend = RecordingBackend(RATES)
    run_recorded(client_server + run_table(warmup=1, repeats=1), backend)
    assert steps(backend) == ["start server", "ready server", *iteration("1"), *iteration("2"), "stop server"]


def test_a_fresh_server_lives_for_one_iteration(run_recorded: RunRecorded, client_server: str) -> None:
    """Each iteration, the warm-up too, has a server of its own."""
    backend = RecordingBackend(RATES)
    run_recorded(client_server + run_table(warmup=1, repeats=1, fresh=True), backend)
    assert steps(backend) == [
        *["start server.1", "ready server", *iteration("1"), "stop server"],
        *["start server.2", "ready server", *iteration("2"), "stop server"],
    ]


def test_servers_stop_in_the_opposite_order(run_recorded: RunRecorded, client_server: str) -> None:
    """What others need starts first and stops last."""
    backend = RecordingBackend(RATES)
    text = client_server.replace('"$PORT"]', '"$PORT", "$CACHE_URL"]', 1)
    run_recorded(text + CACHE, backend)
    assert steps(backend) == [
        *["start cache", "ready cache", "start server", "ready server"],
        *iteration("1"),
        *["stop server", "stop cache"],
    ]


def test_fresh_servers_stop_in_the_opposite_order_each_time(run_recorded: RunRecorded, client_server: str) -> None:
    """Also within an iteration what others need stops last."""
    backend = RecordingBackend(RATES)
    text = client_server.replace('"$PORT"]', '"$PORT", "$CACHE_URL"]', 1)
    run_recorded(text + CACHE + run_table(repeats=2, fresh=True), backend)
    assert [call for call in steps(backend) if call.startswith("stop")] == [
        "stop client",
        "stop server",
        "stop cache",
    ] * 2


def test_inputs_are_fetched_before_anything_starts(run_recorded: RunRecorded, client_server: str) -> None:
    """What is costly does not wait for a download."""
    backend = RecordingBackend(RATES)
    run_recorded(client_server + '\n[[inputs]]\nsrc = "a"\npath = "a"\n', backend)
    assert steps(backend)[:2] == ["fetch a", "start server"]


def test_everything_up_is_stopped_after_a_failure(run_recorded: RunRecorded, client_server: str) -> None:
    """A server that did not become ready is stopped, and so are those before it."""
    backend = RecordingBackend({"cache": [Outcome(error=PlatformError("not ready", code="not_ready", step="cache"))]})
    run_recorded(client_server + CACHE, backend)
    assert steps(backend) == ["start server", "ready server", "start cache", "ready cache", "stop cache", "stop server"]


@pytest.mark.parametrize("is_failing", [False, True])
def test_what_cannot_be_read_is_told_and_what_was_read_before_is_kept(
    run_recorded: RunRecorded, single_node: str, monkeypatch: pytest.MonkeyPatch, *, is_failing: bool
) -> None:
    """An error while output is read is the run's cause, unless the client failed."""

    def fail(source: Source) -> Iterator[Measurement]:
        yield from extract(source)
        raise InvalidResult("enough", code="unreadable_output")

    monkeypatch.setattr("windtunnel.engines.walk.extract", fail)
    backend = RecordingBackend({"client": [Outcome(output="rate=1", status=3 if is_failing else 0)]})
    record = run_recorded(single_node, backend)
    assert record.cause
    assert record.cause.code == ("command_failed" if is_failing else "unreadable_output")
    assert record.metrics["rate"].values == [1]
    message = "what client wrote in iteration 1 was not all read: enough"
    assert (message in record.cause.message) is not is_failing
    lines = list(RunFolder(Path(record.path or "")).lines("events"))
    assert [line["message"] for line in lines if line["type"] == "note"] == ([f"also: {message}"] if is_failing else [])
    assert [line["data"]["samples"] for line in lines if line["type"] == "iteration_finished"] == [1]


def test_reading_that_somebody_cuts_short_is_cancelled(
    run_recorded: RunRecorded, single_node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time was short since somebody asked twice to stop, after the client had ended: no deadline was over."""
    control = Control(3600)

    def stop(*_arguments: object) -> None:
        control.cancel("by hand")
        control.cancel("at once")

    monkeypatch.setattr(RecordingPlatform, "stop", stop)
    monkeypatch.setattr("windtunnel.engines.walk.HURRY_SECONDS", 0.0)
    record = run_recorded(single_node, RecordingBackend(RATES), control=control)
    assert (record.exit_code, record.status) == (130, "cancelled")
    assert record.cause
    assert record.cause.code == "cancelled"
    assert record.cause.message == "what client wrote in iteration 1 was not all read: not done within 0 s"


class StubbornBackend(RecordingBackend):
    """A recording backend that cannot stop its server called cache."""

    error: BaseException

    def open(self, context: Any) -> Any:
        """Return a session whose stop fails."""
        session = super().open(context)
        stop = session.stop

        def fail(handle: Any) -> None:
            stop(handle)
            if handle.name == "cache":
                raise self.error

        session.stop = fail  # type: ignore[method-assign]
        return session


@pytest.mark.parametrize("error", [PlatformError("it clings"), OSError("it clings"), RuntimeError("it clings")])
def test_a_stop_that_fails_keeps_no_other_from_being_tried(
    run_recorded: RunRecorded, client_server: str, error: BaseException
) -> None:
    """The servers that come after it are stopped all the same, and the folder has a note with the step."""
    backend = StubbornBackend(RATES)
    backend.error = error
    record = run_recorded(client_server + CACHE + run_table(repeats=3), backend)
    assert steps(backend)[-2:] == ["stop cache", "stop server"]
    assert record.metrics["rate"].n == 3
    lines = list(RunFolder(Path(record.path or "")).lines("events"))
    (note,) = [line for line in lines if "it clings" in line.get("message", "")]
    assert note["step"] == "cache"
    assert [line["step"] for line in lines if line["type"] == "service_stopped"] == ["server"]


@pytest.mark.parametrize("left", [[], ["process cache"]])
def test_a_run_whose_stop_failed_succeeds_only_if_nothing_of_it_is_left(
    run_recorded: RunRecorded, client_server: str, left: list[str]
) -> None:
    """What was measured stands. That nothing is left is looked for, and told; else the exit code is 7."""
    backend = StubbornBackend(RATES, left=left)
    backend.error = PlatformError("the lease was not renewed for 6 s")
    record = run_recorded(client_server + CACHE, backend)
    notes = [line["message"] for line in RunFolder(Path(record.path or "")).lines("events") if line["type"] == "note"]
    told = "cache: not stopped in order, but nothing of the run is left"

    assert (record.exit_code, record.resources.left) == (7 if left else 0, left)
    assert "teardown: the lease was not renewed for 6 s" in notes
    assert (told in notes) == (not left)
    assert record.metrics["rate"].n == 1


def test_the_record_is_written_three_times(
    run_recorded: RunRecorded, client_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the start, before teardown with what was measured, and at the end with resources and exit code."""
    written: list[tuple[dict[str, Any], bool]] = []
    backend = RecordingBackend({"client": [Outcome(output="rate=1")]})
    write = RunFolder.write_record

    def spy(folder: RunFolder, record: RunRecord) -> None:
        write(folder, record)
        on_disk = json.loads((folder.path / "run.json").read_text(encoding="utf-8"))
        written.append((on_disk, "stop server" in backend.calls))

    monkeypatch.setattr(RunFolder, "write_record", spy)
    run_recorded(client_server + run_table(repeats=3), backend)
    (first, _), (second, was_stopped), (third, is_stopped) = written
    assert (first["status"], first["metrics"], first["exit_code"], first["finished"]) == ("running", {}, None, None)
    assert first["driver"]["pid"] > 0
    assert (second["status"], second["validity"], second["exit_code"]) == ("running", "valid", None)
    assert second["metrics"]["rate"]["values"] == [1, 1, 1]
    assert (was_stopped, is_stopped) == (False, True)
    assert (third["status"], third["validity"], third["exit_code"]) == ("succeeded", "valid", 0)
    assert third["resources"] == {"created": 4, "gone": 4, "left": []}
    assert third["finished"] >= third["started"]


def test_phases_tell_the_story(run_recorded: RunRecorded, client_server: str) -> None:
    """Every start, readiness, iteration and stop has its time."""
    record = run_recorded(client_server + run_table(warmup=1), RecordingBackend(RATES))
    assert [(phase.step, phase.phase, phase.iteration, phase.warmup) for phase in record.phases] == [
        ("server", "start", None, False),
        ("server", "ready", None, False),
        ("client", "run", 1, True),
        ("client", "run", 2, False),
        ("server", "stop", None, False),
    ]


def test_events_tell_the_story(run_recorded: RunRecorded, client_server: str) -> None:
    """An observer hears what the folder has, in that order, and the samples are judged before teardown."""
    told: list[Event] = []
    record = run_recorded(client_server, RecordingBackend(RATES), observers=[told.append], notes=["by the way"])
    lines = list(RunFolder(Path(record.path or "")).lines("events"))
    assert [line["type"] for line in lines] == [event.type.value for event in told]
    assert [event.type for event in told] == [
        EventType.RUN_STARTED,
        EventType.NOTE,
        EventType.SERVICE_STARTING,
        EventType.SERVICE_STARTED,
        EventType.SERVICE_READY,
        EventType.ITERATION_STARTING,
        EventType.ITERATION_STARTED,
        EventType.ITERATION_FINISHED,
        EventType.MEASURED,
        EventType.SERVICE_STOPPING,
        EventType.SERVICE_STOPPED,
        EventType.RUN_FINISHED,
    ]


def test_a_hold_comes_between_measuring_and_teardown(run_recorded: RunRecorded, client_server: str) -> None:
    """What is up is kept until it returns."""
    backend = RecordingBackend(RATES)
    run_recorded(client_server, backend, hold=lambda: backend.calls.append("hold"))
    assert steps(backend)[-2:] == ["hold", "stop server"]


def test_a_job_gets_the_addresses_and_its_iteration(run_recorded: RunRecorded, client_server: str) -> None:
    """Each launch carries the values of all that is up."""
    seen: list[dict[str, str]] = []

    class Watched(RecordingBackend):
        def open(self, context: Any) -> Any:
            session = super().open(context)
            start = session.start_job

            def spy(launch: Any) -> Any:
                seen.append(dict(launch.values))
                return start(launch)

            session.start_job = spy  # type: ignore[method-assign]
            return session

    run_recorded(client_server + CACHE + run_table(repeats=2), Watched(RATES))
    assert [sorted(values) for values in seen] == [
        ["CACHE_HOST", "CACHE_PORT", "CACHE_URL", "ITERATION", "SERVER_HOST", "SERVER_PORT", "SERVER_URL"]
    ] * 2
    assert [values["ITERATION"] for values in seen] == ["1", "2"]
    assert seen[0]["SERVER_URL"] == f"http://127.0.0.1:{seen[0]['SERVER_PORT']}"
    assert seen[0]["SERVER_PORT"] != seen[0]["CACHE_PORT"]


@pytest.mark.usefixtures("told_at_once")
def test_a_cancel_between_two_steps_starts_nothing_more(run_recorded: RunRecorded, client_server: str) -> None:
    """Who cancels while a server starts does not see the client start."""
    control = Control(3600)

    def cancel(event: Event) -> None:
        if event.type is EventType.SERVICE_READY:
            control.cancel("by hand")

    backend = RecordingBackend(RATES)
    record = run_recorded(client_server, backend, control=control, observers=[cancel])
    assert steps(backend) == ["start server", "ready server", "stop server"]
    assert record.exit_code == 130


def test_the_death_of_a_needed_server_ends_the_wait(run_recorded: RunRecorded, client_server: str) -> None:
    """The client is stopped, no further iteration begins, and the dead server is stopped too."""
    death = InvalidResult("server died", code="server_died", step="server")
    backend = RecordingBackend({"server": [Outcome(death=death)]})
    run_recorded(client_server + run_table(repeats=3), backend)
    assert steps(backend) == ["start server", "ready server", *iteration("1"), "stop server"]


def test_the_environment_has_the_machine_and_what_the_platform_says(
    single_node: str, run_recorded: RunRecorded
) -> None:
    """Both in one file; without a platform, the machine alone."""
    images = {"client": {"image": "i", "digest": "i@sha256:0"}}
    record = run_recorded(single_node, RecordingBackend(RATES, environment={"images": images}))
    environment = json.loads((Path(record.path or "") / "environment.json").read_text())

    assert environment["images"] == images
    assert environment["cpus"] >= 1


def test_what_ended_an_iteration_is_the_cause_though_ending_it_fails_too(
    run_recorded: RunRecorded, client_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes of a fault is told as a note."""
    stop = Session.stop

    def fail(session: Session, handle: Running) -> None:
        stop(session, handle)
        if handle.name == "client":
            raise PlatformError("its pod cannot be reached")

    monkeypatch.setattr(Session, "stop", fail)
    death = InvalidResult("server exited with status 9 while it was needed", code="server_died", step="server")
    record = run_recorded(client_server, RecordingBackend({"server": [Outcome(death=death)]}))

    assert record.cause is not None
    assert record.cause.code == "server_died"
    events = (Path(str(record.path)) / "events.jsonl").read_text()
    assert "also: its pod cannot be reached" in events


def test_what_was_measured_is_kept_though_ending_the_client_fails(
    run_recorded: RunRecorded, client_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its output was there before."""

    def fail(_session: Session, _handle: Running) -> None:
        raise PlatformError("its pod cannot be reached")

    monkeypatch.setattr(Session, "stop", fail)
    record = run_recorded(client_server, RecordingBackend(RATES))

    assert record.cause is not None
    assert record.cause.message == "its pod cannot be reached"
    assert record.metrics["rate"].values == [1]
    assert record.validity == "suspect"


def test_a_server_that_died_after_the_clients_last_request_is_a_dead_server(
    run_recorded: RunRecorded, client_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody was waiting when it died, so it is looked for once more when the numbers were read."""
    looked_for: list[str] = []

    def check(_session: Session, services: Sequence[Running]) -> None:
        looked_for.extend(service.name for service in services)
        raise InvalidResult("server exited with status 9 while it was needed", code="server_died", step="server")

    monkeypatch.setattr(Session, "check", check)
    record = run_recorded(client_server + run_table(repeats=3), RecordingBackend(RATES))

    assert looked_for == ["server"]
    assert (record.exit_code, record.validity) == (5, "invalid")


def test_the_end_of_an_iteration_tells_what_it_measured(run_recorded: RunRecorded, single_node: str) -> None:
    """Its own number of samples, and of what could not be read the first few sentences and how many more there are."""
    outcomes = [Outcome(output="rate=1\nrate=2\n"), Outcome(output="rate=.\n" * 8 + "rate=3\n")]
    record = run_recorded(single_node + run_table(repeats=2), RecordingBackend({"client": outcomes}))
    lines = list(RunFolder(Path(record.path or "")).lines("events"))
    assert [line["data"]["samples"] for line in lines if line["type"] == "iteration_finished"] == [2, 1]
    notes = [line["message"] for line in lines if line["type"] == "note"]
    assert len(notes) == 6
    assert notes[-1] == "and 3 more like these"
