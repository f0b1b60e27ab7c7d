"""The sample benchmarks work as they are: they are what a new user runs first."""

from __future__ import annotations

import pytest

from support import docker_lab, kubernetes_lab
from support.lab import Lab
from windtunnel.strategies import STRATEGIES

FULL = pytest.mark.full
pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("strategy", "backend"),
    [
        # In containers the samples share an image and a command line: one shows that it works there.
        pytest.param(strategy, backend, marks=() if backend == "process" or strategy == "client-server" else FULL)
        for strategy in STRATEGIES
        for backend in ("process", "docker", "kubernetes")
    ],
)
def test_a_sample_is_valid_as_it_is(request: pytest.FixtureRequest, lab: Lab, strategy: str, backend: str) -> None:
    """`init` writes it, and `run` measures it: exit 0, verdict valid, a report, and nothing is left."""
    if backend == "docker":
        request.getfixturevalue("docker_empty")
        docker_lab.need_project_images()
    if backend == "kubernetes":
        request.getfixturevalue("cluster_empty")
        kubernetes_lab.need_project_images()
    assert lab.call("init", strategy).exit_code == 0
    result = lab.call("run", f"{strategy}.toml", "--backend", backend, "--json", "--report")

    assert result.exit_code == 0, result.stderr
    assert result.is_valid, result.record["reasons"]
    assert result.record["resources"]["left"] == []
    assert (lab.only_run() / "report.html").stat().st_size > 10_000


def test_init_does_not_overwrite(lab: Lab) -> None:
    """A file that is there already stays as it is, and the message names the way out."""
    file = lab.write("mine", "single-node.toml")
    result = lab.call("init", "single-node")

    assert result.exit_code == 2
    assert "exists already; name another with --output" in result.stderr
    assert file.read_text() == "mine"
