"""A matrix as one workflow: which run a pod is of, what is refused, and the verdict of the whole; without a cluster."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from support.kept_workflow import KeptWorkflow
from support.made import argo_record
from windtunnel.backends.kubernetes.api import Cluster
from windtunnel.benchmark import parse_all
from windtunnel.cli.app import app
from windtunnel.engines.argo.build import AROUND_SECONDS, Submission, build_sweep
from windtunnel.engines.argo.cells import MOST_CELLS, Cell, Sweep
from windtunnel.engines.argo.finish_sweep import Verdict, verdict_of_all
from windtunnel.engines.argo.follow import Follower
from windtunnel.engines.argo.nodes import clients_of
from windtunnel.engines.argo.parameters import WorkflowParameters
from windtunnel.engines.argo.pod_patch import digest, planned
from windtunnel.engines.argo.status import begin, read_record, refusal_of, refuse, run_of, stopped_early, write_cell
from windtunnel.errors import DescriptorError, PlatformError, UsageError
from windtunnel.run.control import Control
from windtunnel.strategies import make_plan

UID = "0f5c1a52-1111-2222-3333-444455556666"
TEXT = """spec_version = "1"
[benchmark]
name = "bench"
strategy = "single-node"
[client]
image = "client:1"
command = ["measure"]
[matrix]
"client.env.SIZE" = ["small", "large"]
"run.repeats" = [1, 2, 3]
[output]
store = "s3://bucket/x"
"""


def sweep_of(text: str = TEXT) -> Sweep:
    """Return the benchmarks of a matrix with their plans."""
    return [(each, make_plan(each.benchmark)) for each in parse_all(text, Path("bench.toml"))]


def submission(text: str = TEXT) -> Submission:
    """Return what is submitted."""
    return build_sweep(sweep_of(text), options={"image": "runner:1"})


def tasks_of(made: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the cells of a workflow, with their arguments by name."""
    spec = made["spec"].get("workflowSpec", made["spec"])
    (main,) = (each for each in spec["templates"] if each["name"] == "main")
    return [
        task | {"given": {each["name"]: each["value"] for each in task["arguments"]["parameters"]}}
        for task in main["dag"]["tasks"]
    ]


def found_by(cell: str | None, count: str = "6", text: str = TEXT) -> WorkflowParameters:
    """Return what a pod of a cell finds."""
    encoded = base64.b64encode(text.encode()).decode()
    variables = {
        "WINDTUNNEL_BENCHMARK": base64.b64encode(encoded.encode()).decode(),
        "WINDTUNNEL_STRATEGY": "single-node",
    }
    variables |= {"WINDTUNNEL_WORKFLOW": "w", "WINDTUNNEL_WORKFLOW_UID": UID, "WINDTUNNEL_CREATED": "1767225600"}
    own = {"WINDTUNNEL_CELL": cell, "WINDTUNNEL_CELLS": count} if cell else {}
    return WorkflowParameters.from_environment(variables | {"WINDTUNNEL_RUNNER_IMAGE": "runner:1"} | own)


def test_the_cells_of_a_workflow_are_those_that_its_pods_find() -> None:
    """In the matrix's order, one after the other, each with the client that its driver plans too."""
    tasks = tasks_of(submission().made)
    found = [found_by(task["given"]["cell"]) for task in tasks]

    assert [task["name"] for task in tasks] == [f"run-{number}" for number in range(1, 7)]
    assert [task["dependencies"] for task in tasks] == [[], *([f"run-{number}"] for number in range(1, 6))]
    assert all(task["continueOn"] == {"error": True, "failed": True} for task in tasks)
    assert [digest(planned(each.plan, each.image)) for each in found] == [task["given"]["planned"] for task in tasks]
    assert tasks[4]["given"]["values"] == "client.env.SIZE = large, run.repeats = 2"
    assert found[4].sweep
    assert found[4].sweep.values == {"client.env.SIZE": "large", "run.repeats": 2}
    assert [each.run_id for each in found] == [f"bench-20260101-000000-0f5c-{number}" for number in range(1, 7)]
    assert {each.sweep.id for each in found if each.sweep} == {"bench-20260101-000000-0f5c"}


def test_the_longest_name_of_a_cells_run_is_a_label() -> None:
    """Of 63 characters at most, as a run's id has to be."""
    text = TEXT.replace('"bench"', f'"{"b" * 40}"')
    assert len(found_by("6", text=text).run_id) <= 63
    assert tasks_of(submission(text).made)[0]["given"]["benchmark"] == "b" * 37


def test_a_workflow_of_a_matrix_has_the_time_of_all_its_runs() -> None:
    """And its exit handler judges all of them."""
    made = submission().made
    (finish,) = (each for each in made["spec"]["templates"] if each["name"] == "finish")

    assert made["spec"]["activeDeadlineSeconds"] >= 6 * (AROUND_SECONDS + 3600)
    assert made["spec"]["onExit"] == "finish"
    assert {"name": "WINDTUNNEL_CELLS", "value": "6"} in finish["container"]["env"]


def test_a_matrix_with_a_schedule_is_planned_when_it_is_submitted() -> None:
    """How many runs there are has to be known then; another version of the image is refused by its drivers."""
    made = submission(f'{TEXT}[run]\nschedule = "0 3 * * *"\n'.replace('"run.repeats" = [1, 2, 3]\n', "")).made

    assert made["kind"] == "CronWorkflow"
    assert len(tasks_of(made)) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            TEXT.replace("[1, 2, 3]", str(list(range(1, MOST_CELLS + 2)))),
            f"102 runs, and a workflow has {MOST_CELLS} at",
        ),
        (TEXT.replace("[1, 2, 3]", "[100, 200, 300]"), "too much for one workflow"),
        (TEXT.replace('"run.repeats"', '"client.args"'), "client.args"),
    ],
    ids=["cells", "iterations", "key"],
)
def test_a_matrix_that_no_workflow_can_have_is_refused(text: str, words: str) -> None:
    """Exit 2, before anything is made."""
    with pytest.raises((UsageError, DescriptorError), match=words):
        submission(text)


def test_a_matrix_that_was_changed_is_refused_by_its_pods() -> None:
    """Each would run another combination than its part of the workflow says."""
    with pytest.raises(UsageError, match="its matrix has 6 runs, and this workflow was made for 4"):
        found_by("1", "4")
    with pytest.raises(UsageError, match="its matrix has 1 runs"):
        Cell(1, 1).choose(
            parse_all(
                TEXT.replace("[matrix]", "[benchmark.labels]").replace(
                    '"client.env.SIZE" = ["small", "large"]\n"run.repeats" = [1, 2, 3]\n', ""
                ),
                Path("x"),
            )
        )


def test_a_template_cannot_know_a_matrix() -> None:
    """It is submitted or rendered as a whole."""
    with pytest.raises(DescriptorError, match="only `windtunnel run` and `windtunnel submit`"):
        found_by(None)


def test_render_shows_the_workflow_of_a_matrix(tmp_path: Path) -> None:
    """Whole, as `submit` makes it."""
    file = tmp_path / "bench.toml"
    file.write_text(TEXT)
    result = CliRunner().invoke(app, ["render", str(file)])

    assert result.exit_code == 0
    assert "name: run-6" in result.stdout


def verdict(code: int, validity: str | None = "valid", cause: str = "") -> Verdict:
    """Return the verdict of a cell."""
    return Verdict("bench-1", "failed" if code else "succeeded", validity, code, cause)


@pytest.mark.parametrize(
    ("cells", "failure", "expected"),
    [
        ([verdict(0), verdict(0, "suspect")], None, (0, "succeeded", "suspect", "")),
        ([verdict(0), verdict(5, "invalid", "x: y"), verdict(3)], None, (5, "failed", "invalid", "run 2 of 3: x: y")),
        ([verdict(0), verdict(0)], "drive: gone", (3, "succeeded", "valid", "workflow_failed: drive: gone")),
        ([verdict(2, None, "bad_call: no")], "drive: no", (2, "failed", None, "run 1 of 1: bad_call: no")),
    ],
    ids=["well", "first", "part", "refused"],
)
def test_the_first_run_that_is_not_well_is_the_verdict(
    cells: list[Verdict], failure: str | None, expected: tuple[int, str, str | None, str]
) -> None:
    """As the exit code of `run`; the worst validity is that of all."""
    told = verdict_of_all(cells, failure)

    assert (told.code, told.status, told.validity, told.cause) == expected


def kept_workflow() -> KeptWorkflow:
    """Return a workflow of which nothing is told yet."""
    return KeptWorkflow({"metadata": {"name": "w", "uid": UID, "annotations": {}}, "spec": {}})


def test_each_cell_has_its_own_word_on_the_workflow() -> None:
    """Which run it has begun, or why none, and its record; none is another's."""
    kept = kept_workflow()
    begin(kept.cluster, kept.workflow, "bench-1-1", 1)
    write_cell(kept.cluster, "w", argo_record("bench-1-1"), Cell(1, 3))
    refuse(kept.cluster, kept.workflow, UsageError("no"), 2)
    kept.workflow["spec"]["shutdown"] = "Stop"

    assert [run_of(kept.workflow, cell) for cell in (None, 1, 2, 3)] == [None, "bench-1-1", None, None]
    record = read_record(kept.workflow, 1)
    assert record
    assert record.run_id == "bench-1-1"
    assert read_record(kept.workflow, 2) is None
    assert isinstance(refusal_of(kept.workflow, 2), UsageError)
    assert refusal_of(kept.workflow, 3) is None
    assert stopped_early(kept.workflow, 1) is None
    assert stopped_early(kept.workflow, 3)


def test_records_of_many_cells_fit_into_one_workflow() -> None:
    """The API takes 256 KiB of annotations; the runs' folders have all of it."""
    kept = kept_workflow()
    reasons = [f"reason {number}: {'x' * 200}" for number in range(300)]
    for number in range(1, MOST_CELLS + 1):
        begin(kept.cluster, kept.workflow, f"bench-1-{number}", number)
        record = argo_record(f"bench-1-{number}", reasons=reasons, labels={"a": "y" * 5000})
        write_cell(kept.cluster, "w", record, Cell(number, MOST_CELLS))

    written = [text for text in kept.workflow["metadata"]["annotations"].values() if text]
    assert sum(map(len, written)) < 250_000
    assert read_record(kept.workflow, MOST_CELLS)


def test_a_cells_clients_are_found_among_those_of_all() -> None:
    """By the part of the workflow that they are of."""
    names = ["w.run-1.clients", "w.run-12.clients", "w.clients"]
    nodes = {name: {"name": name, "displayName": "clients"} for name in names}
    workflow = {"status": {"nodes": nodes | {"x": {"name": "w.run-1.drive", "displayName": "drive"}}}}

    assert [each["name"] for each in clients_of(workflow, 1)] == ["w.run-1.clients"]
    assert [each["name"] for each in clients_of(workflow, None)] == names


def test_a_matrix_of_which_nothing_came_home_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what Argo says of its workflow."""
    over = {"metadata": {"name": "w"}, "status": {"phase": "Failed", "message": "run 1 of 2: bad_call: no"}}
    monkeypatch.setattr("windtunnel.engines.argo.follow.read", lambda *_arguments: over)
    monkeypatch.setattr("windtunnel.engines.argo.follow.drives", lambda *_arguments: False)
    follower = Follower(cast("Cluster", None), "w", tmp_path, print, Control(float("inf")))
    with pytest.raises(PlatformError, match="workflow w: run 1 of 2: bad_call: no"):
        follower.follow_sweep()


def test_a_secret_of_a_matrix_is_shown_nowhere() -> None:
    """Not in what each part is called for people, nor in its client's pod; the benchmark goes through a Secret."""
    mark = "Zq7Marked4Secret"
    found = submission(TEXT.replace('"run.repeats" = [1, 2, 3]', f'"client.env.API_TOKEN" = ["{mark}A", "{mark}B"]'))
    texts = [text for task in tasks_of(found.made) for text in task["given"].values()]
    pods = [base64.b64decode(task["given"]["patch"]).decode() for task in tasks_of(found.made)]

    assert found.carrier
    assert found.carrier.is_secret
    assert len(pods) == 4
    assert not [text for text in (*texts, *pods, str(found.made)) if mark in text]
