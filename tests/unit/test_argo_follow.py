"""What who waits for a workflow is told: of pods that wait, of what never began, and of a run with much to tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from support.made import argo_record
from windtunnel.backends.kubernetes.api import Cluster
from windtunnel.engines.argo import status as run_status
from windtunnel.engines.argo.follow import Follower
from windtunnel.engines.argo.labels import FETCHED, FOLDER
from windtunnel.errors import Cancelled, PlatformError
from windtunnel.run.control import Control
from windtunnel.run.record import MetricSummary, RunRecord

NAME = "bench-abcde"
WAITS = 'ImagePullBackOff: Back-off pulling image "windtunnel:none": not found'
FORBIDDEN = 'pods "bench-abcde-drive" is forbidden: violates PodSecurity "restricted:latest"'
SUMMARY = MetricSummary(
    unit="ms",
    better="lower",
    n=1,
    mean=1.0,
    median=1.0,
    stdev=None,
    ci95=None,
    p50=1.0,
    p90=1.0,
    p99=1.0,
    values=[1.0],
    samples=1,
)


class Shown:
    """A cluster whose workflow is another at each look, and the last of these from then on."""

    def __init__(self, *looks: dict[str, Any], shutdown: str = "") -> None:
        self.looks, self.annotations = list(looks), dict[str, str]()
        self.spec = {"shutdown": shutdown}
        self.namespace = "default"

    def call(self, method: str, _path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Read it, or patch its annotations."""
        if method == "PATCH" and body:
            self.spec |= body.get("spec", {})
            kept = self.annotations | body.get("metadata", {}).get("annotations", {})
            self.annotations = {key: value for key, value in kept.items() if value is not None}
            return {}
        status = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return {
            "metadata": {"name": NAME, "uid": "u-1", "annotations": dict(self.annotations)},
            "spec": self.spec,
            "status": status,
        }

    def find(self, _kind: str, _selector: str) -> list[dict[str, Any]]:
        """Return the driver's pods."""
        return []

    @property
    def cluster(self) -> Cluster:
        """What the code under test takes it for."""
        return cast("Cluster", self)


def status(phase: str, message: str = "", **pods: tuple[str, str]) -> dict[str, Any]:
    """Return what Argo says of a workflow and of its pods, a phase and a message each."""
    nodes = {
        name: {"id": name, "displayName": name, "type": "Pod", "phase": each[0], "message": each[1]}
        for name, each in pods.items()
    }
    return {"phase": phase, "message": message, "nodes": nodes}


def follow(shown: Shown, said: list[str], store: Path = Path("runs")) -> RunRecord:
    """Follow it to its end."""
    return Follower(shown.cluster, NAME, store, said.append, Control(1)).follow()


def test_what_a_pod_waits_for_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an image that there is none of, a pod waits a quarter of an hour; that it is about to run is no news."""
    monkeypatch.setattr("windtunnel.engines.argo.follow._LOOK_SECONDS", 0)
    said: list[str] = []
    shown = Shown(
        status("Running", drive=("Pending", "PodInitializing")),
        status("Running", drive=("Pending", WAITS)),
        status("Running", drive=("Pending", f"{WAITS} (2)")),
        status("Running", drive=("Running", "")),
        status("Failed", "lost", drive=("Failed", "main: Error")),
    )
    with pytest.raises(PlatformError, match="lost"):
        follow(shown, said)

    assert said == ["drive  Pending", f"drive  Pending: {WAITS}", "drive  Running", "drive  Failed: main: Error"]


@pytest.mark.parametrize(("phase", "message"), [("Failed", ""), ("Error", "No more retries left")])
def test_pods_that_could_not_be_made_say_why(phase: str, message: str) -> None:
    """Argo says nothing of such a workflow, or, of an older template's, how its exit handler ended."""
    shown = Shown(status(phase, message, drive=("Error", FORBIDDEN)))
    with pytest.raises(PlatformError, match="violates PodSecurity"):
        follow(shown, [])


@pytest.mark.parametrize("how", ["Stop", "Terminate"])
def test_a_workflow_that_was_stopped_before_its_run_began_is_cancelled(how: str) -> None:
    """Exit code 130, as of any run that its user ends."""
    shown = Shown(status("Failed", f"Stopped with strategy '{how}'"), shutdown=how)
    with pytest.raises(Cancelled, match="stopped before its run began") as error:
        follow(shown, [])

    assert error.value.exit_code == 130


def test_who_asks_a_third_time_waits_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as for a driver whose node is lost, which has the folder; the workflow is terminated all the same."""
    monkeypatch.setattr("windtunnel.engines.argo.follow._LOOK_SECONDS", 0)
    monkeypatch.setattr("windtunnel.engines.argo.follow.drives", lambda _cluster, _name: True)
    said: list[str] = []
    control = Control(1)
    for _ in range(2):
        control.cancel("Ctrl-C")

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("once more"):
            control.cancel("Ctrl-C")

    shown = Shown(status("Failed", "Stopped with strategy 'Terminate'"))
    with pytest.raises(Cancelled, match="ends by itself"):
        Follower(shown.cluster, NAME, Path("runs"), say, control).follow()

    assert shown.spec == {"shutdown": "Terminate"}
    assert said == ["once more to wait no longer for the run's folder"]


@pytest.mark.parametrize(
    "much",
    [
        {"metrics": {f"latency_of_endpoint_{number}": SUMMARY for number in range(3000)}},
        {"reasons": [f"endpoint_{number}: {'x' * 200}" for number in range(3000)]},
        {"labels": {"machine": "x" * 250_000}},
    ],
    ids=lambda much: next(iter(much)),
)
def test_a_run_that_has_much_to_tell_is_told_shortly_and_comes_home_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, much: dict[str, Any]
) -> None:
    """A workflow's annotations may be 256 KiB; one that was refused was a run that was lost, folder and all."""
    record = RunRecord.model_validate(
        {
            "run_id": "bench-1",
            "benchmark": "bench",
            "strategy": "single-node",
            "engine": "argo",
            "backend": "kubernetes",
            "status": "succeeded",
            "exit_code": 0,
            "validity": "suspect",
            "reasons": ["why"],
        }
        | much
    )
    folder = tmp_path / "bench-1"
    folder.mkdir()
    (folder / "run.json").write_text(record.model_dump_json())
    shown = Shown(status("Succeeded"))
    run_status.begin(shown.cluster, shown.call("GET", ""), "bench-1")
    run_status.write_record(shown.cluster, NAME, record)
    told = run_status.read_record(shown.call("GET", ""))

    assert told
    assert (told.status, told.validity, told.exit_code) == ("succeeded", "suspect", 0)
    assert told.reasons[0] == record.reasons[0]
    assert sum(len(key) + len(value.encode()) for key, value in shown.annotations.items()) < 1 << 18

    def fetch(self: Follower, _pod: str) -> None:
        self._folders.append(folder)

    monkeypatch.setattr(Follower, "_fetch", fetch)
    shown.annotations[FOLDER] = "bench-1-drive"
    whole = follow(shown, [], tmp_path)

    assert whole == record.model_copy(update={"path": str(folder)})
    assert json.loads((folder / "run.json").read_text())["path"] is None


def test_the_folders_of_a_matrix_are_awaited_while_a_driver_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Argo calls a workflow over as soon as it is terminated; the run that went on is on its way home then."""
    places = [tmp_path / f"bench-1-{number}" for number in (1, 2)]
    for number, place in enumerate(places, start=1):
        place.mkdir()
        code = 130 * (number - 1)
        (place / "run.json").write_text(argo_record(f"bench-1-{number}", exit_code=code).model_dump_json())
    shown = Shown(status("Failed"))
    shown.annotations[FOLDER] = "drive-1"
    ends = iter([True, False])

    def fetch(self: Follower, pod: str) -> None:
        self._folders.append(places[int(pod[-1]) - 1])
        shown.annotations[FETCHED] = pod

    def drives(*_arguments: object) -> bool:
        shown.annotations[FOLDER] = "drive-2"
        return next(ends)

    monkeypatch.setattr(Follower, "_fetch", fetch)
    monkeypatch.setattr("windtunnel.engines.argo.follow.drives", drives)
    monkeypatch.setattr("windtunnel.engines.argo.follow._LOOK_SECONDS", 0)
    follower = Follower(shown.cluster, NAME, tmp_path, print, Control(float("inf")))
    records, code = follower.follow_sweep()

    assert [record.run_id for record in records] == ["bench-1-1", "bench-1-2"]
    assert code == 130
