"""What the contracts of whole benchmark files share: every backend in turn, and a way to run a file on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support import docker_lab, kubernetes_lab
from support.lab import Lab, Result
from support.needs import needing_a_platform

Run = Callable[..., Result]


@pytest.fixture(params=["process", *needing_a_platform("docker", "kubernetes")])
def backend(request: pytest.FixtureRequest) -> str:
    """Every backend that runs something, in turn."""
    if request.param == "docker":
        request.getfixturevalue("docker_empty")
    if request.param == "kubernetes":
        request.getfixturevalue("cluster_empty")
        kubernetes_lab.image()
    return str(request.param)


@pytest.fixture
def run(lab: Lab, backend: str) -> Run:
    """Run a benchmark on it; ``IMAGE`` is the tests' image, which the process backend ignores."""

    def run_(text: str, *arguments: str) -> Result:
        image = "ignored" if backend == "process" else docker_lab.image()
        return lab.run(text.replace("IMAGE", image), "--backend", backend, *arguments)

    return run_
