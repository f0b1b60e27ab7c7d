"""What a workflow says of its run at the end, whatever it says of another one: without a cluster."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.kept_workflow import KeptWorkflow
from support.made import argo_record
from windtunnel.engines.argo import __main__ as argo_main
from windtunnel.engines.argo import causes, drive, status
from windtunnel.engines.argo.finish import finish as finish_workflow
from windtunnel.engines.argo.follow import Follower
from windtunnel.engines.argo.parameters import PARAMETERS
from windtunnel.errors import Cancelled, PlatformError, TimedOut, UsageError, WindtunnelError
from windtunnel.run.control import Control
from windtunnel.run.record import Cause, ResourceCount

NAME, UID = "bench-abcde", "0f5c1a52"
RECORD = argo_record("bench-20260101-000000-0f5c")
Finish = Callable[["Kept"], tuple[int, dict[str, str]]]


class Kept(KeptWorkflow):
    """A cluster that has one workflow, and pods of its driver or none."""

    def __init__(self, annotations: dict[str, str] | None = None, labels: dict[str, str] | None = None) -> None:
        super().__init__(
            {
                "metadata": {"name": NAME, "uid": UID, "annotations": annotations or {}, "labels": labels or {}},
                "status": {
                    "phase": "Failed",
                    "message": "Stopped with strategy 'Stop'",
                    "nodes": {NAME: {"id": NAME, "type": "DAG", "phase": "Failed"}},
                },
            }
        )
        self.drivers: list[dict[str, Any]] = []
        self.failures = '"null"'

    def find(self, _kind: str, _selector: str) -> list[dict[str, Any]]:
        """Return the driver's pods."""
        return self.drivers


@pytest.fixture
def last_word(tmp_path: Path) -> Path:
    """Stand for what Kubernetes reads a container's last word from."""
    path = tmp_path / "termination-log"
    path.touch()
    return path


@pytest.fixture
def finish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last_word: Path) -> Finish:
    """Let the exit handler end a workflow; return its exit code and its output parameters."""
    outputs = tmp_path / "outputs"
    monkeypatch.setenv("WINDTUNNEL_WORKFLOW", NAME)
    monkeypatch.setattr("windtunnel.engines.argo.outputs.OUTPUTS", outputs)
    monkeypatch.setattr("windtunnel.engines.argo.finish.remove", lambda _cluster, _run: [])
    monkeypatch.setattr(causes, "LAST_WORD", last_word)

    def act(kept: Kept) -> tuple[int, dict[str, str]]:
        monkeypatch.setattr("windtunnel.engines.argo.finish.connect", lambda: kept.cluster)
        monkeypatch.setenv("WINDTUNNEL_FAILURES", base64.b64encode(kept.failures.encode()).decode())
        code = finish_workflow()
        return code, {path.name: path.read_text() for path in outputs.iterdir()}

    return act


def of_another() -> tuple[dict[str, str], dict[str, str]]:
    """Return the annotations and labels of a workflow that succeeded, as a resubmitted one has them at first."""
    other = Kept()
    other.workflow["metadata"]["uid"] = "another"
    status.begin(other.cluster, other.workflow, RECORD.run_id or "")
    status.write_record(other.cluster, NAME, RECORD)
    return other.workflow["metadata"]["annotations"], other.workflow["metadata"]["labels"]


def test_the_verdict_is_that_of_the_run_that_was_begun(finish: Finish) -> None:
    """Its exit code, its labels, its outputs."""
    kept = Kept()
    status.begin(kept.cluster, kept.workflow, RECORD.run_id or "")
    status.write_record(kept.cluster, NAME, RECORD)
    code, outputs = finish(kept)

    assert code == RECORD.exit_code == 0
    assert outputs["run"] == kept.labels["run"] == RECORD.run_id
    assert outputs["validity"] == kept.labels["validity"] == "valid"


def test_a_resubmitted_workflow_does_not_take_the_old_verdict_for_its_own(finish: Finish) -> None:
    """Argo copies labels and annotations; where no run has begun, nothing of the old one stays."""
    kept = Kept(*of_another())
    code, outputs = finish(kept)

    assert (code, outputs["status"], outputs["validity"]) == (3, "failed", "")
    assert outputs["cause"].startswith("driver_lost: the driver was lost")
    assert kept.labels == {"run": "", "status": "failed", "validity": "", "exit-code": "3"}
    assert kept.nodes == {NAME: {"id": NAME, "type": "DAG", "phase": "Failed", "message": outputs["cause"]}}
    assert "windtunnel.dev/record" not in kept.workflow["metadata"]["annotations"]


def test_a_driver_that_refuses_says_why_in_the_workflow(
    finish: Finish, last_word: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is the refusal's, and the waiting submitter hears it instead of how Argo stopped."""
    kept = Kept(*of_another())
    status.refuse(kept.cluster, kept.workflow, UsageError("no such thing"))
    code, outputs = finish(kept)

    assert (code, outputs["exit-code"], kept.labels["exit-code"]) == (2, "2", "2")
    assert "no such thing" in capsys.readouterr().err
    assert outputs["cause"] == last_word.read_text() == "bad_call: no such thing"
    with pytest.raises(UsageError, match="no such thing"):
        follow(kept)


@pytest.mark.parametrize(
    ("error", "code", "cause"),
    [
        (TimedOut("no store in time"), 4, "timed_out: no store in time"),
        (Cancelled("stopped"), 130, "cancelled: stopped"),
        (PlatformError("no right", code="forbidden"), 3, "forbidden: no right"),
        (KeyError("x"), 70, "internal: a bug of Windtunnel's: KeyError; the log has more"),
    ],
)
def test_a_run_that_could_not_begin_is_told_and_its_clients_wait_no_more(
    finish: Finish, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, cause: str
) -> None:
    """Whatever it was, a bug too: the store may be asked until the deadline."""
    ended: list[str] = []

    def failing(*_arguments: object) -> None:
        raise error

    kept = Kept()
    monkeypatch.setattr(drive, "connect", lambda: kept.cluster)
    monkeypatch.setattr(drive, "_run", failing)
    monkeypatch.setattr(drive, "end_clients", lambda _cluster, _name, words: ended.append(words))
    with pytest.raises(type(error)):
        drive.drive()
    assert kept.nodes[NAME]["message"] == cause
    found, outputs = finish(kept)

    assert (found, outputs["cause"]) == (code, cause)
    assert ended == [cause]


def test_the_verdict_is_told_after_the_driver_has_ended(finish: Finish, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two pods Argo keeps the outputs that it learns of last, and a driver that was stopped may have none."""
    kept = Kept()
    kept.drivers = [{"status": {"phase": "Running"}}]
    status.begin(kept.cluster, kept.workflow, RECORD.run_id or "")
    status.write_record(kept.cluster, NAME, RECORD)
    looks: list[float] = []

    def look(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            kept.drivers = [{"status": {"phase": "Failed"}}]

    monkeypatch.setattr("windtunnel.engines.argo.finish.time.sleep", look)

    assert finish(kept)[0] == 0
    assert len(looks) == 3


def test_why_a_workflow_failed_is_said_again_at_its_end(finish: Finish) -> None:
    """Argo may forget what its driver wrote into a node while Argo wrote it itself."""
    kept = Kept()
    record = RECORD.model_copy(
        update={"exit_code": 3, "status": "failed", "cause": Cause(code="not_ready", message="no answer")}
    )
    status.begin(kept.cluster, kept.workflow, RECORD.run_id or "")
    status.write_record(kept.cluster, NAME, record)

    assert finish(kept)[0] == 3
    assert kept.nodes[NAME]["message"] == "not_ready: no answer"


def test_nodes_that_are_kept_elsewhere_are_left_alone(finish: Finish) -> None:
    """Argo keeps those of a large workflow compressed, or in a database; the parts say what it came to."""
    kept = Kept()
    kept.nodes.clear()

    assert finish(kept)[0] == 3
    assert kept.nodes == {}


def test_a_refusal_is_forgotten_when_a_run_begins(finish: Finish) -> None:
    """After `argo retry` of what was refused."""
    kept = Kept()
    status.refuse(kept.cluster, kept.workflow, UsageError("no such thing"))
    status.begin(kept.cluster, kept.workflow, RECORD.run_id or "")
    status.write_record(kept.cluster, NAME, RECORD)

    assert finish(kept)[0] == 0


def ended(**changes: Any) -> Kept:
    """Return a workflow whose run is over."""
    kept = Kept()
    status.begin(kept.cluster, kept.workflow, RECORD.run_id or "")
    status.write_record(kept.cluster, NAME, RECORD.model_copy(update=changes))
    return kept


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({}, 0, ""),
        (
            {"exit_code": 3, "cause": Cause(code="not_ready", message="server was\n  not ready")},
            3,
            "not_ready: server was not ready",
        ),
        ({"exit_code": 5, "validity": "suspect", "reasons": ["one", "two"]}, 5, "suspect: one; two"),
        ({"exit_code": 7, "resources": ResourceCount(left=["pod x"])}, 7, "left_behind: pod x"),
    ],
)
def test_the_cause_is_the_last_word_and_an_output(
    finish: Finish, last_word: Path, changes: dict[str, Any], code: int, words: str
) -> None:
    """Where `argo get` and `argo list` take their messages from; one line, and nothing if all is well."""
    found, outputs = finish(ended(**changes))

    assert (found, outputs["exit-code"]) == (code, str(code))
    assert outputs["cause"] == last_word.read_text() == words


def test_a_long_cause_is_cut(finish: Finish) -> None:
    """Kubernetes takes 4 KiB."""
    _code, outputs = finish(ended(exit_code=3, cause=Cause(code="platform", message="x" * 9000)))

    assert len(outputs["cause"]) == 1000
    assert outputs["cause"].endswith("x…")


def test_a_run_that_is_well_does_not_hide_a_part_that_failed(finish: Finish) -> None:
    """Such as a folder that nobody fetched: exit 3 with Argo's words, on the workflow's label too."""
    kept = ended()
    kept.failures = (
        r'"[{\"displayName\":\"main\",\"message\":\"\",\"podName\":\"\"},'
        r'{\"displayName\":\"drive\",\"message\":\"main: Error: \u2018not\u2019 fetched \x7f\",\"podName\":\"b-1\"}]"'
    )
    code, outputs = finish(kept)

    assert (code, outputs["exit-code"], kept.labels["exit-code"]) == (3, "3", "3")
    assert outputs["cause"].startswith("workflow_failed: drive: main: Error: ‘not’ fetched")


def test_a_bug_in_a_part_is_told_and_is_no_failure_of_the_benchmarks(
    last_word: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python's own exit code is 1, which says that the benchmark's command failed."""

    def broken() -> int:
        raise KeyError("http://me:hunter2@host")

    monkeypatch.setattr(causes, "LAST_WORD", last_word)
    monkeypatch.setattr("windtunnel.engines.argo.finish.finish", broken)
    monkeypatch.setattr("sys.argv", ["argo", "finish"])

    assert argo_main.main() == 70
    assert last_word.read_text() == "internal: a bug of Windtunnel's: KeyError; the log has more"
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize("module", ["windtunnel.engines.argo", "windtunnel.deployments.argo"])
def test_the_command_of_an_older_template_still_works(module: str) -> None:
    """A schedule in a cluster has the command of the version that submitted it, and pulls a newer image."""
    encoded = {f"WINDTUNNEL_{name.upper()}": "" for name in PARAMETERS}
    encoded["WINDTUNNEL_BENCHMARK"] = base64.b64encode(b"[benchmark]").decode()
    done = subprocess.run(
        [sys.executable, "-m", module, "plan"],
        env=dict(os.environ) | encoded,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "benchmark.toml" in done.stderr


@pytest.mark.parametrize(
    ("kind", "words"),
    [(None, "Stopped with strategy"), (PlatformError("no right", code="forbidden"), "no right")],
)
def test_a_run_that_did_not_come_home_is_an_error(kind: WindtunnelError | None, words: str) -> None:
    """In Argo's words, if its driver had none."""
    kept = Kept()
    if kind:
        status.refuse(kept.cluster, kept.workflow, kind)
    with pytest.raises(PlatformError, match=words):
        follow(kept)


def test_a_record_without_its_folder_is_an_error() -> None:
    """Who waits is promised the folder."""
    kept = Kept()
    status.begin(kept.cluster, kept.workflow, RECORD.run_id or "")
    status.write_record(kept.cluster, NAME, RECORD)
    with pytest.raises(PlatformError, match="was not fetched"):
        follow(kept)


def follow(kept: Kept) -> object:
    """Follow the workflow, which is over."""
    return Follower(kept.cluster, NAME, Path("runs"), lambda _line: None, Control(1)).follow()
