"""What `plan --backend` shows is what a run makes: the same objects, and the same requests, in the same order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from support import docker_lab, kubernetes_lab
from windtunnel.backends import make_backend
from windtunnel.backends.docker.api import DockerApi
from windtunnel.backends.kubernetes.api import Cluster
from windtunnel.backends.kubernetes.naming import salt_of
from windtunnel.backends.preview import preview_plan
from windtunnel.benchmark import parse
from windtunnel.engines import inline
from windtunnel.engines.request import Request
from windtunnel.run.control import Control
from windtunnel.strategies import make_plan

pytestmark = pytest.mark.platform
# What follows from when and by whom a run is made, and from tokens and keys of its own.
OWN = {"expires", "driver", "uid", "acquireTime", "renewTime", "activeDeadlineSeconds", "affinity", "stringData", "key"}


def benchmark() -> str:
    """Return a benchmark with a file, a variable, two replicas, and one iteration."""
    text = docker_lab.client_server(client_keys='files = { "a/b.txt" = "$SERVER_URL" }', server_keys="replicas = 2")
    head, server = text.split("[server]")
    return head + "[server]" + server.replace("port = 0", 'port = 8412\nplacement = "any"\nenv = { X = "y" }')


def run(folder: Path, backend: str) -> tuple[str, list[dict[str, Any]]]:
    """Run the benchmark; return the run's id, and the preview of it."""
    loaded = parse(benchmark(), folder / "b.toml")
    plan = make_plan(loaded.benchmark)
    made = make_backend(backend)
    record = inline.run(Request(loaded, plan, made, folder / "runs", Control(120)))
    assert record.exit_code == 0, record.cause
    return str(record.run_id), preview_plan(plan, made, loaded.redaction).documents


def told(documents: list[dict[str, Any]], names: Mapping[str, str]) -> list[Any]:
    """Return documents with names for names, without what is a run's own."""
    text = json.dumps(documents)
    for name, other in names.items():
        text = text.replace(name, other)
    return [without(each) for each in json.loads(text)]


def without(document: Any) -> Any:
    """Return a document without what is a run's own."""
    if isinstance(document, Mapping):
        return {key: without(item) for key, item in document.items() if key.rpartition("/")[2] not in OWN}
    return [without(item) for item in document] if isinstance(document, list) else document


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is made on platforms meanwhile."""
    found: list[dict[str, Any]] = []
    create, call = Cluster.create, DockerApi.call

    def noted(cluster: Cluster, thing: Mapping[str, Any]) -> Any:
        found.append(dict(thing))
        return create(cluster, thing)

    def noted_call(api: DockerApi, method: str, path: str, body: Any = None, timeout: float = 30) -> Any:
        if method == "POST" and path.partition("?")[0].endswith("/create"):
            found.append({"method": method, "path": path, "body": body})
        return call(api, method, path, body, timeout)

    monkeypatch.setattr(Cluster, "create", noted)
    monkeypatch.setattr(DockerApi, "call", noted_call)
    return found


def test_a_run_on_a_cluster_makes_what_is_shown(
    cluster_empty: Callable[[], None], tmp_path: Path, made: list[dict[str, Any]]
) -> None:
    """All of it, but for where pods go, and what only a run knows."""
    del cluster_empty
    kubernetes_lab.image()
    run_id, shown = run(tmp_path, "kubernetes")
    names = {run_id: "RUN", salt_of(run_id): "SALT"}
    stand_ins = {"faulty-preview": "RUN", salt_of("faulty-preview"): "SALT"}

    assert told(made, names) == told(shown, stand_ins)


def test_a_run_on_a_daemon_makes_what_is_shown(
    docker_empty: Callable[[], None], tmp_path: Path, made: list[dict[str, Any]]
) -> None:
    """Its networks and its containers, but for the id of an image."""
    del docker_empty
    run_id, shown = run(tmp_path, "docker")
    created = [each for each in shown if each["path"].partition("?")[0].endswith("/create")]
    with docker_lab.docker_client() as client:
        image = client.images.get(docker_lab.image())

    names = {run_id: "RUN", str(image.id): docker_lab.image()}
    assert told(made, names) == told(created, {"faulty-preview": "RUN"})
