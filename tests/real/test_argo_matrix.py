"""A matrix as one workflow: its cells are runs, one after the other, as those of `run` are."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from support.argo_lab import Workflow, argo
from support.docker_lab import client_server, single_node
from support.kubernetes_lab import everything, kubectl, salt
from support.lab import Lab, Result

pytestmark = [
    pytest.mark.full,
    pytest.mark.usefixtures("cluster_empty", "nothing_left", "argo"),
    pytest.mark.timeout(900),
]

RATE = '[[metrics]]\nname = "rate"\npattern = "rate=(\\\\S+)"\n'
ITERATIONS = "[run]\nwarmup = 1\nrepeats = 2\n"


def submit(lab: Lab, text: str) -> Result:
    """Submit a benchmark and wait for it."""
    lab.patience = 600
    return lab.call("submit", str(lab.write(text)), "--wait", "--json")


def workflow_of(result: Result) -> Workflow:
    """Return the workflow that was submitted."""
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("submitted "))
    return Workflow(line.split()[1])


def nodes_of(workflow: Workflow, template: str) -> list[dict[str, Any]]:
    """Return the nodes of a template, in the order of their starts."""
    found = workflow.read()["status"]["nodes"].values()
    return sorted((each for each in found if each.get("templateName") == template), key=lambda each: each["startedAt"])


def annotations_of(workflow: Workflow) -> dict[str, str]:
    """Return a workflow's annotations."""
    return dict(workflow.read()["metadata"].get("annotations", {}))


def test_each_cell_is_a_run_and_all_are_one_workflow(lab: Lab) -> None:
    """Records, values and folders are as `run` has them for a matrix; a part of the workflow is a cell."""
    matrix = '[matrix]\n"client.env.DELAY" = ["0.01", "0.02"]\n"run.repeats" = [1, 2]\n'
    result = submit(lab, client_server(tables=f"{matrix}[run]\nwarmup = 0\n"))
    workflow = workflow_of(result)

    assert result.exit_code == 0, result.stderr + argo("get", workflow.name).stdout
    told = json.loads(result.stdout)
    values = [(delay, repeats) for delay in ("0.01", "0.02") for repeats in (1, 2)]
    assert [
        (run["sweep"]["values"]["client.env.DELAY"], run["sweep"]["values"]["run.repeats"]) for run in told["runs"]
    ] == values
    assert [run["metrics"]["latency"]["n"] for run in told["runs"]] == [1, 2, 1, 2]
    ids = [run["run_id"] for run in told["runs"]]
    assert ids == [f"{told['sweep_id']}-{number}" for number in (1, 2, 3, 4)]
    assert {path.name for path in (lab.path / "runs").iterdir()} == set(ids)
    for run in told["runs"]:
        assert run["sweep"]["id"] == told["sweep_id"]
        assert run["resources"]["left"] == []
        shown = json.loads(lab.call("show", run["run_id"], "--json").stdout)
        assert shown["metrics"] == run["metrics"]
    assert not [each for each in everything() if any(salt(run) in each for run in ids)]
    cells = nodes_of(workflow, "cell")
    assert [each["displayName"] for each in cells] == ["run-1", "run-2", "run-3", "run-4"]
    assert all(first["finishedAt"] <= second["startedAt"] for first, second in pairwise(cells))
    drawn = [node for node in workflow.read()["status"]["nodes"].values() if node["type"] == "Suspend"]
    first = [node["displayName"] for node in drawn if node["boundaryID"] == cells[0]["id"]]
    assert {"start server", "server is ready", "benchmark 1/1"} <= set(first)
    labels = workflow.read()["metadata"]["labels"]
    assert (labels["windtunnel.dev/run"], labels["windtunnel.dev/exit-code"]) == (told["sweep_id"], "0")
    assert workflow.outputs["run"] == told["sweep_id"]
    kubectl("delete", "workflow", workflow.name, "--wait=false")


def test_a_cell_that_fails_fails_the_whole_and_not_the_others(lab: Lab) -> None:
    """The first exit code that is not 0 is the workflow's, and its cause says which run; the others go on."""
    matrix = '[matrix]\n"client.env.STATUS" = ["0", "3", "00"]\n'
    script = "echo rate=$ITERATION; exit $STATUS"
    result = submit(lab, single_node(["sh", "-c", script], f"{RATE}{matrix}{ITERATIONS}"))
    workflow = workflow_of(result)

    assert result.exit_code == 1, result.stderr
    runs = json.loads(result.stdout)["runs"]
    assert [run["exit_code"] for run in runs] == [0, 1, 0]
    assert [run["metrics"].get("rate", {}).get("n") for run in runs] == [2, None, 2]
    assert workflow.phase == "Failed"
    assert workflow.outputs["cause"].startswith("run 2 of 3: command_failed: client exited with status 3")
    assert workflow.outputs["cause"] in workflow.message
    assert workflow.read()["metadata"]["labels"]["windtunnel.dev/exit-code"] == "1"
    kubectl("delete", "workflow", workflow.name, "--wait=false")
