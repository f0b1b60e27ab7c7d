"""What `plan --backend` shows is what platforms take: each object, and each request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from support import docker_lab
from support.kubernetes_lab import kubectl, need_kubernetes
from support.lab import Lab
from windtunnel.backends.docker.daemon import Daemon
from windtunnel.backends.docker.resources import DockerResources
from windtunnel.backends.resources import remove_all

pytestmark = pytest.mark.platform
SAMPLES = sorted((Path(__file__).parents[2] / "flows").glob("*.toml"))
# What kubectl's reader of YAML takes for numbers and truth values, where PyYAML's does not.
ODD = {"A": "y", "B": "1e3", "C": "0o17", "D": "true", "E": "~", "F": "", "G": " x", "H": "a: b", "I": "1_0", "J": "n"}
MANY = """
spec_version = "1"
[benchmark]
name = "NAME"
strategy = "client-server"
labels = { team = "a" }
[servers.web]
image = "IMAGE"
command = ["serve", "--password", "swordfish-1", "$PORT"]
port = 0
replicas = 2
files = { "etc/a.conf" = "password = swordfish-2\\n", "b.txt" = "$WEB_URL" }
isolation = "sealed"
resources = { cpu = "50m", memory = "64Mi" }
SIDE
[client]
image = "IMAGE"
command = ["measure", "$WEB_URL"]
requirements = ["numpy>=2"]
env = ENV
[[inputs]]
src = "https://example.org/d"
path = "data/d"
"""
SIDE = """
[servers.side]
image = "IMAGE"
command = ["side", "$WEB_HOST"]
port = 6000
placement = "same-pod"
ready = { http = "/" }
node_selector = { "kubernetes.io/arch" = "amd64" }
tolerations = [{ key = "x", operator = "Exists" }]
"""


def many(name: str, image: str, side: str = "") -> str:
    """Return a benchmark that has something of everything."""
    env = "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in ODD.items()) + " }"
    text = MANY.replace("SIDE", side).replace("ENV", env)
    return text.replace("NAME", name).replace("IMAGE", image)


@pytest.mark.parametrize("sample", [*SAMPLES, None], ids=lambda sample: sample.stem if sample else "many")
def test_a_cluster_takes_each_object(lab: Lab, sample: Path | None) -> None:
    """`kubectl apply --dry-run=server` makes all of them, in their order, as they are."""
    need_kubernetes()
    file = sample or lab.write(many("many", "windtunnel-samples", SIDE))
    result = lab.call("plan", str(file), "--backend", "kubernetes")
    assert result.exit_code == 0, result.stderr
    shown = list(yaml.safe_load_all(result.stdout))
    made = json.loads(kubectl("apply", "--dry-run=server", "--filename", "-", "--output", "json", text=result.stdout))[
        "items"
    ]

    assert [identity(each) for each in made] == [identity(each) for each in shown]
    assert [variables(each) for each in made] == [variables(each) for each in shown]
    if not sample:
        assert {name: f"{value}" for name, value in variables(made[-1]).items() if name in ODD} == ODD


def identity(manifest: dict[str, Any]) -> tuple[str, str]:
    """Return an object's kind and name."""
    return manifest["kind"], manifest["metadata"]["name"]


def variables(manifest: dict[str, Any]) -> dict[str, str | None]:
    """Return the variables of a pod's containers."""
    spec = manifest["spec"] if manifest["kind"] == "Pod" else {}
    containers = [*spec.get("initContainers", ()), *spec.get("containers", ())]
    # The API leaves out a value that is empty.
    return {each["name"]: each.get("value", "") for container in containers for each in container.get("env", ())}


@pytest.fixture
def own_run(docker_empty: Callable[[], None]) -> Iterator[str]:
    """A benchmark's name; what is made for its preview is removed at the end."""
    del docker_empty
    name, resources = f"preview-{uuid4().hex[:8]}", DockerResources(Daemon())
    yield name
    assert remove_all(resources, lambda: resources.find(f"{name}-preview"), 60) == []


def test_a_daemon_takes_each_request(lab: Lab, own_run: str) -> None:
    """Networks, volumes and containers are made of what is shown; files would be put into containers that are there."""
    result = lab.call("plan", str(lab.write(many(own_run, docker_lab.image()))), "--backend", "docker", "--json")
    assert result.exit_code == 0, result.stderr
    daemon, made = Daemon(), []
    for request in json.loads(result.stdout)["documents"]:
        if request["method"] == "PUT":
            assert request["path"].split("/")[2] in made
        elif not request["path"].endswith("/start"):
            daemon.call(request["method"], request["path"], request.get("body"))
            made.append(request["path"].rpartition("=")[2])

    assert len([name for name in made if name.startswith(f"{own_run}-preview-web")]) == 2
