"""What a run comes to: exit code, status, cause and verdict, on the recording backend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from support.recorded import events, outcome, stops
from windtunnel.addresses import ObjectAddress
from windtunnel.backends.recording import Outcome, RecordingBackend
from windtunnel.benchmark import parse
from windtunnel.engines.execute import execute
from windtunnel.engines.request import Request
from windtunnel.errors import InvalidResult, PlatformError
from windtunnel.run.control import Control
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord
from windtunnel.strategies import make_plan

T = TypeVar("T")

RunRecorded = Callable[..., RunRecord]
GOOD = Outcome(output="rate=5")
REPEATS = "\n[run]\nrepeats = 3\n"
NOT_READY = PlatformError("server was not ready", code="not_ready", step="server", log_tail=("last words",))
DEATH = InvalidResult("server died", code="server_died", step="server")


def test_a_measured_run_succeeds(run_recorded: RunRecorded, client_server: str) -> None:
    """Exit 0, valid, without a cause; the folder's record is the one that is returned."""
    record = run_recorded(client_server + REPEATS, RecordingBackend({"client": [GOOD]}))
    assert outcome(record) == (0, "succeeded", None, "valid")
    assert (record.engine, record.backend, record.benchmark, record.strategy) == (
        "inline",
        "recording",
        "pair",
        "client-server",
    )
    assert RunFolder(Path(record.path or "")).read_record() == record


def test_few_iterations_are_suspect_and_succeed(run_recorded: RunRecorded, single_node: str) -> None:
    """Exit 0 unless it is strict, and then 5 without a cause."""
    backend = RecordingBackend({"client": [GOOD]})
    assert outcome(run_recorded(single_node, backend)) == (0, "succeeded", None, "suspect")
    assert outcome(run_recorded(single_node, backend, strict=True)) == (5, "failed", None, "suspect")


def test_strict_does_not_fail_a_valid_run(run_recorded: RunRecorded, single_node: str) -> None:
    """What is valid is valid."""
    record = run_recorded(single_node + REPEATS, RecordingBackend({"client": [GOOD]}), strict=True)
    assert outcome(record) == (0, "succeeded", None, "valid")


def test_a_server_that_is_not_ready_is_the_platforms_fault(run_recorded: RunRecorded, client_server: str) -> None:
    """Exit 3, with the server's last lines; there is no verdict as nothing was measured."""
    record = run_recorded(client_server, RecordingBackend({"server": [Outcome(error=NOT_READY)]}))
    assert outcome(record) == (3, "failed", "not_ready", None)
    assert record.cause is not None
    assert (record.cause.step, record.cause.message) == ("server", "server was not ready")
    assert record.cause.log_tail == ["last words"]


def test_a_command_that_cannot_be_started_is_the_platforms_fault(run_recorded: RunRecorded, single_node: str) -> None:
    """Exit 3."""
    error = PlatformError("command not found", code="command_not_found", step="client")
    record = run_recorded(single_node, RecordingBackend({"client": [Outcome(error=error)]}))
    assert outcome(record) == (3, "failed", "command_not_found", None)


@pytest.mark.parametrize(("status", "words"), [(3, "exited with status 3"), (-9, "was killed by SIGKILL")])
def test_a_command_that_fails_fails_the_run(
    run_recorded: RunRecorded, single_node: str, status: int, words: str
) -> None:
    """Exit 1; the message has the iteration and the status, and the last lines are those of its log."""
    table = [GOOD, Outcome(output="rate=6\nit broke\n", status=status)]
    record = run_recorded(single_node + REPEATS, RecordingBackend({"client": table}))
    assert outcome(record) == (1, "failed", "command_failed", "suspect")
    assert record.cause is not None
    assert record.cause.message == f"client {words} in iteration 2"
    assert record.cause.log_tail == ["rate=6", "it broke"]


def test_the_samples_of_a_failed_iteration_count(run_recorded: RunRecorded, single_node: str) -> None:
    """What it measured before it failed is in the metrics."""
    table = [GOOD, Outcome(output="rate=7", status=1)]
    record = run_recorded(single_node + REPEATS, RecordingBackend({"client": table}))
    assert record.metrics["rate"].values == [5, 7]


def test_a_server_that_dies_makes_the_result_invalid(run_recorded: RunRecorded, client_server: str) -> None:
    """Exit 5, although the client would have succeeded."""
    record = run_recorded(client_server, RecordingBackend({"server": [Outcome(death=DEATH)], "client": [GOOD]}))
    assert outcome(record) == (5, "failed", "server_died", "invalid")
    assert record.reasons == ["server died"]


@pytest.mark.parametrize("output", ["", "speed=5", "rate=fast"])
def test_a_run_without_samples_is_invalid(run_recorded: RunRecorded, single_node: str, output: str) -> None:
    """Exit 5, although every command succeeded."""
    record = run_recorded(single_node, RecordingBackend({"client": [Outcome(output=output)]}))
    assert outcome(record) == (5, "failed", "no_samples", "invalid")
    assert record.metrics == {}


def test_warm_up_samples_alone_are_none(run_recorded: RunRecorded, single_node: str) -> None:
    """Exit 5 when only the warm-up measured something."""
    backend = RecordingBackend({"client": [GOOD, Outcome()]})
    assert outcome(run_recorded(single_node + "\n[run]\nwarmup = 1\n", backend))[0] == 5


def test_a_metric_without_samples_makes_the_run_invalid(run_recorded: RunRecorded, single_node: str) -> None:
    """Exit 5, and the metric is named; what others measured is kept."""
    text = single_node + "\n[[metrics]]\nname = 'errors'\npattern = 'errors=(.)'\n"
    record = run_recorded(text, RecordingBackend({"client": [GOOD]}))
    assert outcome(record) == (5, "failed", "no_samples", "invalid")
    assert record.cause is not None
    assert record.cause.message == "client gave no samples of errors"
    assert record.metrics["rate"].values == [5]


def test_a_run_that_takes_too_long_is_timed_out(run_recorded: RunRecorded, client_server: str) -> None:
    """Exit 4; the hanging client is stopped, and what it had written counts."""
    backend = RecordingBackend({"client": [Outcome(output="rate=5", hangs=True)]})
    record = run_recorded(client_server, backend, control=Control(1))
    assert outcome(record) == (4, "timed_out", "timed_out", "suspect")
    assert stops(backend) == ["stop client", "stop server"]
    assert record.metrics["rate"].values == [5]


def test_a_cancelled_run_is_cancelled(run_recorded: RunRecorded, client_server: str) -> None:
    """Exit 130, with the reason that was given."""
    control = Control(3600)
    backend = RecordingBackend({"client": [Outcome(hangs=True)]})

    def cancel(event: Any) -> None:
        if event.type == "iteration_started":
            control.cancel("by hand")

    record = run_recorded(client_server, backend, control=control, observers=[cancel])
    assert outcome(record) == (130, "cancelled", "cancelled", "invalid")
    assert record.cause is not None
    assert record.cause.message == "by hand"


def test_an_engines_own_interruption_is_handed_on(tmp_path: Path, client_server: str) -> None:
    """An engine that interrupts an act gets its exception back, after everything was torn down and written."""

    class Interruption(BaseException):
        pass

    def call(name: str, act: Callable[[], T]) -> T:
        if name.startswith("benchmark"):
            raise Interruption
        return act()

    loaded, backend = parse(client_server, tmp_path / "benchmark.toml"), RecordingBackend()
    plan = make_plan(loaded.benchmark)
    with pytest.raises(Interruption):
        execute(Request(loaded, plan, backend, tmp_path, Control.for_plan(plan), run_id="run"), "other", call)

    assert outcome(RunFolder(tmp_path / "run").read_record())[:3] == (130, "cancelled", "cancelled")
    assert backend.calls[-2:] == ["stop server", "close"]


def test_what_is_left_behind_is_told(run_recorded: RunRecorded, client_server: str) -> None:
    """Exit 7 where it would have been 0, with what is left by name and by number."""
    record = run_recorded(client_server + REPEATS, RecordingBackend({"client": [GOOD]}, left=["server (process 7)"]))
    assert outcome(record) == (7, "succeeded", None, "valid")
    assert (record.resources.created, record.resources.gone) == (4, 3)
    assert record.resources.left == ["server (process 7)"]


@pytest.mark.parametrize(
    ("client", "server", "strict", "code"),
    [
        (Outcome(status=1), Outcome(), False, 1),
        (GOOD, Outcome(error=NOT_READY), False, 3),
        (GOOD, Outcome(death=DEATH), False, 5),
        (Outcome(), Outcome(), False, 5),
        (GOOD, Outcome(), True, 5),
    ],
)
def test_a_failure_counts_before_what_is_left(
    run_recorded: RunRecorded, client_server: str, client: Outcome, server: Outcome, code: int, *, strict: bool
) -> None:
    """Exit 7 hides no other exit code, and the survivors are named all the same."""
    backend = RecordingBackend({"client": [client], "server": [server]}, left=["it"])
    record = run_recorded(client_server, backend, strict=strict)
    assert record.exit_code == code
    assert record.resources.left == ["it"]


def test_a_death_explains_a_failure(run_recorded: RunRecorded, client_server: str) -> None:
    """A server's death is the cause of the client's failure, not the other way round."""
    backend = RecordingBackend({"server": [Outcome(death=DEATH)], "client": [Outcome(status=1)]})
    record = run_recorded(client_server, backend)
    assert outcome(record) == (5, "failed", "server_died", "invalid")
    assert [line["data"]["code"] for line in events(record, "cause")] == ["server_died"]


def test_the_first_cause_wins(run_recorded: RunRecorded, client_server: str) -> None:
    """What fails in a later stage, whatever its exit code, is a note; it changes neither cause nor exit code."""

    def hold() -> None:
        raise PlatformError("the platform went away", code="daemon_lost", step="server")

    record = run_recorded(client_server, RecordingBackend({"client": [Outcome(status=3)]}), hold=hold)

    assert outcome(record) == (1, "failed", "command_failed", "invalid")
    assert record.cause is not None
    assert record.cause.message == "client exited with status 3 in iteration 1"
    assert [line["data"]["code"] for line in events(record, "cause")] == ["command_failed"]
    also = [line["message"] for line in events(record, "note") if line["message"].startswith("also")]
    assert also == ["also: the platform went away"]


def test_a_cause_has_no_secrets(run_recorded: RunRecorded, single_node: str) -> None:
    """Neither its message nor its last lines, in the record, on disk and in the events."""
    text = single_node.replace("[client]", '[client]\nenv = { API_TOKEN = "swordfish-9" }')
    error = PlatformError("no swordfish-9 here", code="x", step="client", log_tail=("swordfish-9 it was",))
    record = run_recorded(text, RecordingBackend({"client": [Outcome(error=error)]}))

    assert record.cause is not None
    assert record.cause.code == "x"
    for path in Path(record.path or "").glob("*.*"):
        assert "swordfish" not in path.read_text(encoding="utf-8")
    assert "swordfish" not in record.model_dump_json()


class Unreached:
    """A store that takes a run's begin, and nothing more."""

    target = "s3://results/x"

    def __init__(self, *_arguments: object, **_options: object) -> None:
        self.sent = 0

    def send(self, *_arguments: object, **_options: object) -> None:
        """Fail, but for the first time."""
        self.sent += 1
        if self.sent > 1:
            raise PlatformError("no connection", code="store_failed")

    def close(self) -> list[str]:
        """Leave nothing."""
        return []


@pytest.mark.parametrize(
    ("unstored", "words"),
    [(None, "to send it again: windtunnel upload /"), ("it goes with its pod", "it goes with its")],
)
def test_a_run_that_was_not_stored_says_what_becomes_of_it(
    run_recorded: RunRecorded, single_node: str, monkeypatch: pytest.MonkeyPatch, unstored: str | None, words: str
) -> None:
    """A folder that is gone with its driver's pod cannot be sent again."""
    monkeypatch.setattr("windtunnel.engines.run_upload.open_upload", Unreached)
    options = {"remote": ObjectAddress("results", "x"), "unstored": unstored}
    record = run_recorded(single_node, RecordingBackend({"client": [GOOD]}), **options)

    assert outcome(record)[:3] == (3, "failed", "store_failed")
    assert record.cause is not None
    assert record.cause.message.startswith(f"not stored: no connection; {words}")
