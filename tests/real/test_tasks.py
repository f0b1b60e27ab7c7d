"""The tasks run as they are, on workers of Docker and of a cluster, with every MPI that there is an image of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support import docker_lab, kubernetes_lab
from support.lab import Lab, Result

TASKS = Path(__file__).parents[2] / "tasks"
PREFIX = "client.env.PATH=/opt/{}/bin:/usr/local/bin:/usr/bin:/bin"
IMPLEMENTATIONS = {
    "openmpi 4.": ("client.image=windtunnel-openmpi",),
    "openmpi 5.": (),
    "mpich 5.": ("client.launcher=mpich", PREFIX.format("mpich")),
    "intel 2021.": ("client.launcher=intel", PREFIX.format("intel")),
}
METRICS = {
    "hpcc": {"hpl", "ptrans", "random_access", "stream_triad", "ping_pong_latency_mean", "ring_bandwidth"},
    "imb": {"time", "time_max", "bandwidth"},
    "jax-allreduce": {"allreduce_time"},
    "mpi-pingpong": {"time_mean", "bandwidth"},
}

FULL = pytest.mark.full
pytestmark = [pytest.mark.usefixtures("nothing_left"), pytest.mark.timeout(600)]


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """A backend that has the images, by its name, and holds nothing before and after."""
    name = str(request.param)
    request.getfixturevalue(f"{name.replace('kubernetes', 'cluster')}_empty")
    (docker_lab if name == "docker" else kubernetes_lab).need_project_images()
    return name


def run(lab: Lab, task: str, backend: str, *settings: str) -> Result:
    """Run a task once."""
    given = ["run.warmup=0", "run.repeats=1", *settings]
    words = [word for setting in given for word in ("--set", setting)]
    return lab.call("run", str(TASKS / task / "benchmark.toml"), "--json", "--backend", backend, *words)


def names(result: Result) -> set[str]:
    """Return the names of a run's metrics, without their labels."""
    return {series.partition("{")[0] for series in result.record["metrics"]}


@FULL
@pytest.mark.parametrize(
    ("task", "backend"),
    # Pods of the test cluster reach no index of packages, which jax comes from.
    [("hpcc", "docker"), ("hpcc", "kubernetes"), ("imb", "docker"), ("imb", "kubernetes"), ("jax-allreduce", "docker")],
    indirect=["backend"],
)
def test_a_task_measures_what_it_says(lab: Lab, backend: str, task: str) -> None:
    """Each of its metrics has a value, and nothing is left."""
    result = run(lab, task, backend)

    assert result.exit_code == 0, result.stderr
    assert names(result) == METRICS[task]
    assert result.record["resources"]["left"] == []


@pytest.mark.parametrize("backend", ["docker", pytest.param("kubernetes", marks=FULL)], indirect=True)
@pytest.mark.parametrize(
    "implementation", [each if each.startswith("mpich") else pytest.param(each, marks=FULL) for each in IMPLEMENTATIONS]
)
def test_a_ping_pong_of_every_mpi_is_between_two_hosts(lab: Lab, backend: str, implementation: str) -> None:
    """One file serves all of them, each with a rank on each of the workers."""
    result = run(lab, "mpi-pingpong", backend, *IMPLEMENTATIONS[implementation])

    assert result.exit_code == 0, result.stderr
    assert names(result) == METRICS["mpi-pingpong"]
    gang = json.loads((lab.only_run() / "environment.json").read_text(encoding="utf-8"))["gangs"]["gang"]
    assert f"{gang['implementation']} {gang['version']}".startswith(implementation)
    assert [member["ranks"] for member in gang["members"]] == [[0], [1]]


@FULL
def test_hpcc_that_solves_another_matrix_than_asked_for_is_no_result(lab: Lab) -> None:
    """It calls itself a success: the task looks at what it solved."""
    docker_lab.need_project_images()
    text = (TASKS / "hpcc" / "benchmark.toml").read_text(encoding="utf-8")
    asked = text.replace("\n400 ", "\n500 ")
    assert asked != text
    result = lab.run(asked, "--backend", "docker", "--set", "run.repeats=1")

    assert result.exit_code == 1
    assert result.cause == "rank_failed"
    assert "rank 0 on gang-0 exited with status 1" in result.record["cause"]["message"]
    assert result.record["metrics"] == {}
