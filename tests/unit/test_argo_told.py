"""What a driver tells of its run as outputs: without a cluster."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from support.made import argo_record, write_run
from windtunnel.benchmark import parse
from windtunnel.engines.argo import causes, drive
from windtunnel.engines.argo.outputs import headlines, write_report
from windtunnel.engines.argo.templates import template
from windtunnel.errors import PlatformError
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import MetricSummary, RunRecord
from windtunnel.strategies import make_plan

LATENCY = MetricSummary(
    unit="ms",
    better="lower",
    n=2,
    mean=3.5,
    median=3.5,
    stdev=None,
    ci95=None,
    p50=3,
    p90=4,
    p99=4,
    values=[3, 4],
    samples=2,
)
TEXT = """spec_version = "1"
[benchmark]
name = "made"
strategy = "single-node"
[client]
command = ["measure"]
"""
RECORD = argo_record("bench-1", metrics={"latency": LATENCY})
KEEPING = {"status": {"artifactRepositoryRef": {"artifactRepository": {"archiveLogs": True, "s3": {"bucket": "kept"}}}}}
PLAN = make_plan(parse(TEXT, Path("made.toml")).benchmark)

Conclude = Callable[[RunRecord], int]


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a pod's outputs; what else its driver does is left out."""
    monkeypatch.setenv("WINDTUNNEL_WORKFLOW", "bench-abcde")
    monkeypatch.setattr("windtunnel.engines.argo.outputs.OUTPUTS", tmp_path / "outputs")
    monkeypatch.setattr(causes, "LAST_WORD", tmp_path / "none")
    for name in ("connect", "read", "explain", "write_record", "end_clients", "_await_fetch"):
        monkeypatch.setattr(drive, name, lambda *_arguments: None)
    return tmp_path / "outputs"


@pytest.fixture
def conclude(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> Conclude:
    """Let a driver conclude a run; return its exit code."""
    del outputs

    def act(record: RunRecord) -> int:
        job = SimpleNamespace(name="client", warmup=0, repeats=1)
        parameters = SimpleNamespace(workflow="bench-abcde", is_fetched=True, job=job, cell=None)
        monkeypatch.setattr(drive, "_run", lambda *_arguments: (parameters, record))
        return drive.drive()

    return act


def test_a_driver_leaves_the_verdict_and_the_means_as_its_outputs(outputs: Path, conclude: Conclude) -> None:
    """For Argo's users, and for steps of theirs that come after."""
    assert conclude(RECORD) == 0
    found = {path.name: path.read_text() for path in outputs.iterdir()}

    assert json.loads(found.pop("metrics")) == {"latency": {"mean": 3.5, "unit": "ms", "n": 2}}
    assert found == {"run": "bench-1", "status": "succeeded", "validity": "valid", "exit-code": "0", "cause": ""}


def test_a_driver_tells_of_a_run_that_failed_too(outputs: Path, conclude: Conclude) -> None:
    """Exit 7 where something of the run is left."""
    record = RECORD.model_copy(update={"exit_code": 7})

    assert conclude(record) == 7
    assert (outputs / "exit-code").read_text() == "7"
    assert (outputs / "cause").read_text().startswith("left_behind")


def test_a_driver_whose_folder_nobody_fetched_tells_no_verdict(
    outputs: Path, conclude: Conclude, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails after its run went well: an exit code 0 among its outputs would say that all is well."""

    def fail(*_arguments: object) -> None:
        raise PlatformError("nobody has fetched it", code="not_fetched")

    monkeypatch.setattr(drive, "_await_fetch", fail)
    with pytest.raises(PlatformError, match="nobody has fetched it"):
        conclude(RECORD)

    assert not outputs.exists()


def test_the_headlines_are_the_first_metrics() -> None:
    """A workflow is one object of the API, which has to hold all of its parts."""
    record = RECORD.model_copy(update={"metrics": {f"m{number}": LATENCY for number in range(5000)}})

    assert list(json.loads(headlines(record))) == [f"m{number}" for number in range(20)]


def test_a_run_without_metrics_has_no_headlines() -> None:
    """An empty object, which is JSON too."""
    assert headlines(RECORD.model_copy(update={"metrics": {}})) == "{}"


def test_the_exit_handler_has_a_pod_unless_argo_finds_that_all_is_well() -> None:
    """No part failed, and the driver has told exit code 0 of this very workflow; an output that is missing is none."""
    (end,) = (each for each in template("single-node").to_dict()["spec"]["templates"] if each["name"] == "end")
    (((step,),),) = (end["steps"],)

    assert step["template"] == "finish"
    assert step["when"].startswith("{{=!(workflow.failures == '\"null\"' && ")
    for name, is_as_wanted in (("exit-code", " == '0'"), ("run", " endsWith (")):
        assert f"(workflow.outputs?.parameters ?? {{}})['{name}']{is_as_wanted}" in step["when"]


def test_the_report_is_left_where_argo_keeps_artifacts(outputs: Path, tmp_path: Path) -> None:
    """One file; where there is no repository, Argo finds none, and says nothing of it."""
    folder = RunFolder.create(tmp_path / "runs", PLAN, "")
    record = write_run(folder, [{(): [1.0]}]).model_copy(update={"path": str(folder.path)})
    write_report(record, {"status": {"artifactRepositoryRef": {"default": True, "artifactRepository": {}}}})
    assert not outputs.exists()
    write_report(record, KEEPING)

    assert [path.name for path in outputs.iterdir()] == ["report.html"]
    assert str(record.run_id) in (outputs / "report.html").read_text()


def test_a_report_that_cannot_be_made_costs_no_verdict(
    outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The driver's log says why there is none."""
    write_report(RECORD.model_copy(update={"path": str(tmp_path)}), KEEPING)

    assert not outputs.exists()
    assert capsys.readouterr().out.startswith("no report: ")
