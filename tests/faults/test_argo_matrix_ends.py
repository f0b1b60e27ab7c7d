"""However a matrix's workflow ends, the runs that are over are kept, and nothing of any of them stays."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from support import kubernetes_api
from support.argo_lab import KILL_DRIVER, Workflow, argo
from support.claims import Claim, volume
from support.docker_lab import single_node
from support.kubernetes_lab import everything, kubectl, salt
from support.lab import Lab

pytestmark = [
    pytest.mark.full,
    pytest.mark.usefixtures("cluster_empty", "nothing_left", "argo"),
    pytest.mark.timeout(900),
]
RATE = '[[metrics]]\nname = "rate"\npattern = "rate=(\\\\S+)"\n'
CELLS = (1, 2, 3)
SCRIPT = """import os, time
if os.environ["ITERATION"] == "2":
    time.sleep(float(os.environ["SECONDS"]))
print("rate=1")
"""


@dataclass(frozen=True)
class Case:
    """What happens to a matrix while its second run measures, and what is to become of it.

    Attributes:
        strike: Makes it happen.
        exit_code: The workflow's; None where no exit handler tells it.
        cause: How its cause goes on after "run 2 of 3: ".
        goes_on: Whether the third run is to follow.
        keys: Keys of the benchmark.
    """

    strike: Callable[[Workflow], object]
    exit_code: int | None = None
    cause: str = ""
    goes_on: bool = False
    keys: str = ""


def driver(workflow: Workflow) -> str:
    """Return the pod of the driver that runs."""
    pods = [pod for pod in workflow.pods() if pod["status"]["phase"] == "Running"]
    (name,) = (pod["metadata"]["name"] for pod in pods if "-drive-" in pod["metadata"]["name"])
    return str(name)


def kill(workflow: Workflow) -> None:
    """Kill the driver's process: its warden alone can tell."""
    kubectl("exec", driver(workflow), "--container", "main", "--", "python", "-c", KILL_DRIVER)


def evict(workflow: Workflow) -> None:
    """Have the cluster take the driver's pod away, as it does before a node is drained."""
    place = {"name": driver(workflow), "namespace": kubernetes_api.namespace()}
    path = f"/api/v1/namespaces/{place['namespace']}/pods/{place['name']}/eviction"
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": place}
    kubectl("create", "--raw", path, "--filename", "-", text=json.dumps(eviction))


CASES = {
    "stopped": Case(lambda workflow: argo("stop", workflow.name), 130, "cancelled"),
    "terminated": Case(lambda workflow: argo("terminate", workflow.name)),
    "deleted": Case(lambda workflow: kubectl("delete", "workflow", workflow.name, "--wait=false")),
    "timed out": Case(lambda _workflow: None, 4, "timed_out", goes_on=True, keys='timeout = "60s"'),
    "driver killed": Case(kill, 3, "driver_lost"),
    "driver evicted": Case(evict, 3, "driver_evicted", goes_on=True),
    "driver's pod deleted": Case(
        lambda workflow: kubectl("delete", "pod", driver(workflow), "--wait=false"), 3, "driver_evicted", goes_on=True
    ),
}


def annotations_of(workflow: Workflow) -> dict[str, str]:
    """Return a workflow's annotations."""
    return dict(workflow.read()["metadata"].get("annotations", {}))


@contextmanager
def measuring(lab: Lab, keys: str) -> Iterator[tuple[Workflow, Claim]]:
    """Lend the workflow of a matrix whose first run is over and whose second one measures, and its store."""
    with volume("777") as claim:
        matrix = '[matrix]\n"client.env.SECONDS" = ["0", "600", "1"]\n'
        output = f'{RATE}{matrix}[run]\nwarmup = 0\nrepeats = 2\n[output]\nstore = "{claim.store}"\n'
        file = lab.write(single_node(["python3", "-c", SCRIPT], output, keys=keys))
        submitted = lab.call("submit", str(file), "--json")
        assert submitted.exit_code == 0, submitted.stderr
        workflow = Workflow(json.loads(submitted.stdout)["name"])
        try:
            workflow.meanwhile(lambda: "windtunnel.dev/record-1" in annotations_of(workflow), "first run")
            # Of the first run's clients Argo may hear later than of its driver.
            workflow.meanwhile(
                lambda: [node["phase"] for node in workflow.nodes("client")][3:] == ["Running"], "second run's client"
            )
            yield workflow, claim
        finally:
            kubectl("delete", "workflow", workflow.name, "--wait=false", "--ignore-not-found")


@pytest.mark.parametrize("name", CASES)
def test_a_matrix_that_is_struck_keeps_what_is_over(lab: Lab, name: str) -> None:
    """As `run` does it: one that fails ends itself alone, and who stops the whole gets no further run."""
    case = CASES[name]
    with measuring(lab, case.keys) as (workflow, claim):
        sweep = json.loads(annotations_of(workflow)["windtunnel.dev/begun-1"])["run"].removesuffix("-1")
        runs = [f"{sweep}-{number}" for number in CELLS]
        case.strike(workflow)

        def left() -> list[str]:
            return [each for each in everything() if any(salt(run) in each for run in runs)]

        if name != "deleted":
            assert workflow.end() == "Failed"
            notes, outputs = annotations_of(workflow), workflow.outputs
            assert ("windtunnel.dev/begun-3" in notes) == case.goes_on
            if case.exit_code is not None:
                assert outputs["exit-code"] == str(case.exit_code), outputs
                assert outputs["cause"].startswith(f"run 2 of 3: {case.cause}")
                assert (outputs["status"] == "cancelled") == (name == "stopped")
                # Of a workflow that somebody stopped, a warden too, Argo says that alone; of its exit handler, why.
                told = workflow.message if case.goes_on else workflow.nodes("finish")[-1]["message"]
                assert outputs["cause"] in told
        workflow_pods = f"workflows.argoproj.io/workflow={workflow.name}"
        workflow.until(lambda: not left(), "end of its runs", 120)
        workflow.until(
            lambda: not kubectl("get", "pods", "--selector", workflow_pods, "--output", "name"), "end of its pods", 120
        )
        kept = stored(claim)
        samples = {run: claim.read(f"{run}/samples.jsonl") for run in runs if run in kept}
        records = {run: json.loads(claim.read(f"{run}/run.json")) for run in runs if run in kept}

    assert samples[runs[0]].count('"rate"') == 2
    assert records[runs[0]]["exit_code"] == 0
    # What its first iteration measured; its second one hung.
    assert samples[runs[1]].count('"rate"') == 1
    assert records[runs[1]]["status"] != "succeeded"
    assert (runs[2] in kept) == case.goes_on
    if case.goes_on:
        assert samples[runs[2]].count('"rate"') == 2
        assert records[runs[2]]["exit_code"] == 0


def stored(claim: Claim) -> set[str]:
    """Return the ids of the runs that a store has."""
    return {path.split("/")[0] for path in claim.sums()}
