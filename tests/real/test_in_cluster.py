"""Windtunnel itself in the cluster, with no more rights than `install kubernetes` gave, and as a Prefect flow."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from support import docker_lab, kubernetes_lab, prefect_home
from support.kubernetes_lab import kubectl
from support.lab import Lab, Result
from support.needs import package
from windtunnel.backends.kubernetes.settings import runner_image

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "kubernetes.md"
pytestmark = [pytest.mark.usefixtures("cluster_empty", "nothing_left"), pytest.mark.timeout(600)]


@pytest.fixture
def job_name() -> Iterator[str]:
    """The name of a Job and its ConfigMap, which are gone afterwards."""
    name = f"windtunnel-test-{uuid4().hex[:8]}"
    yield name
    kubectl("delete", "job,configmap", name, "--ignore-not-found", "--wait=false")


def documented_job(name: str) -> str:
    """Return the Job that the documentation has, under another name."""
    text = DOCUMENTATION.read_text(encoding="utf-8")
    (job,) = (block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "kind: Job" in block)
    return (
        str(job).replace("name: measure", f"name: {name}").replace("image: windtunnel\n", f"image: {runner_image()}\n")
    )


def run_job(name: str, text: str) -> Result:
    """Run a benchmark in a Job; its output is of both streams."""
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"benchmark.toml": text}}
    kubectl("apply", "--filename", "-", text=f"{json.dumps(config)}\n---\n{documented_job(name)}")
    deadline = time.monotonic() + 150
    while True:
        found = json.loads(kubectl("get", "pods", "--selector", f"job-name={name}", "--output", "json"))["items"]
        statuses = [each for pod in found for each in pod["status"].get("containerStatuses", [])]
        ended = [each["state"]["terminated"] for each in statuses if "terminated" in each["state"]]
        if ended:
            break
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
    log = kubectl("logs", f"job/{name}")
    return Result(int(ended[0]["exitCode"]), log[log.index("\n{") :], log[: log.index("\n{")])


def test_a_pod_of_the_cluster_runs_a_benchmark(job_name: str) -> None:
    """With the account that `install kubernetes` made and the cluster's own configuration; only the Job is left."""
    kubernetes_lab.image()
    kubernetes_lab.need_project_images()
    keys = 'replicas = 2\nstop = ["true"]\ngrace = "1s"\nlive = { exec = ["true"], every = "200ms" }'
    text = docker_lab.client_server(server_keys=keys).replace('grace = "1s"\n', "", 1)
    files = '[client.files]\n"a.txt" = "inline"\n'
    result = run_job(job_name, text + files)

    assert result.exit_code == 0, result.stderr
    assert result.record["metrics"]["latency"]["n"] == 1
    assert result.record["resources"]["left"] == []
    assert result.record["resources"]["created"] > 5
    salt = kubernetes_lab.salt(result.record["run_id"])
    assert not [name for name in kubernetes_lab.everything() if salt in name]


@pytest.mark.full
def test_a_prefect_flow_runs_a_benchmark_on_the_cluster(lab: Lab, tmp_path: Path) -> None:
    """The same walk with Prefect's tasks: exit 0, and the flow's state says so."""
    package("prefect")
    kubernetes_lab.image()
    lab.env |= prefect_home.own_server(tmp_path / "prefect")
    result = lab.run(docker_lab.client_server(), "--backend", "kubernetes", "--engine", "prefect")

    assert result.exit_code == 0, result.stderr
    assert result.record["engine"] == "prefect"
    assert result.record["backend"] == "kubernetes"
    assert result.record["resources"]["left"] == []
    assert "Completed(" in result.stderr
