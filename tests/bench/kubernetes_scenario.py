"""The kubernetes backend against a script of kubectl."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

from bench.scenario import Scenario
from bench.timing import gap, last_gap, last_run, timed
from support.kubernetes_lab import image
from windtunnel.backends import make_backend

NAME = "one-second-kubernetes"
CLIENT = 'echo "client=$(date +%s.%N)"; sleep 1; echo "value=1"'
_SERVER = ["python3", "/programs/server.py", "--host", "0.0.0.0", "--tell-first-answer", "--port"]
_REPLICAS = 42
"""With its Service, the client and what the run itself stands on: 50 objects."""
_BY_HAND = """
kubectl apply -f server.yaml >/dev/null
kubectl wait --for=condition=Ready pod/by-hand-server --timeout=60s >/dev/null
kubectl apply -f client.yaml >/dev/null
kubectl wait --for=jsonpath='{.status.phase}'=Succeeded pod/by-hand-client --timeout=60s >/dev/null
kubectl logs by-hand-client > client.log
kubectl logs by-hand-server > server.log
grep -o 'value=.*' client.log > result
kubectl delete -f client.yaml -f server.yaml --grace-period=1 --wait >/dev/null
"""
_MANY_BY_HAND = """
kubectl apply -f many.yaml >/dev/null
kubectl wait --for=condition=Ready pod --selector=app=by-hand-many --timeout=300s >/dev/null
date +%s.%N > moments
kubectl delete -f many.yaml --grace-period=1 --wait >/dev/null
date +%s.%N >> moments
"""


def scenarios(folder: Path, windtunnel: str, say: Callable[[str], None]) -> Iterator[Scenario]:
    """Yield what is compared on a cluster; nothing without one."""
    if reason := make_backend("kubernetes").available():
        say(f"left out, kubernetes: {reason}")
        return
    (folder / "server.yaml").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": _server_by_hand()}))
    (folder / "client.yaml").write_text(json.dumps(_pod("by-hand-client", ["sh", "-c", CLIENT.replace("$", "$$")])))
    ours = [windtunnel, "run", str(write_benchmark(folder)), "--backend", "kubernetes"]
    by_hand = ["sh", "-ec", _BY_HAND]
    yield Scenario(
        "kubernetes: client-server, 1 s client, against kubectl",
        "s",
        3.0,
        partial(timed, ours, folder),
        partial(timed, by_hand, folder),
    )

    def gap_ours() -> float:
        timed(ours, folder)
        return last_gap(folder, NAME)

    def gap_by_hand() -> float:
        timed(by_hand, folder)
        return gap(folder / "server.log", folder / "client.log")

    yield Scenario("kubernetes: server's first answer to client's start", "s", 1.5, gap_ours, lambda: 0.0)
    yield Scenario("kubernetes: the same by hand, for comparison", "s", 10.0, gap_by_hand, lambda: 0.0)
    yield _teardown(folder, windtunnel)


def _teardown(folder: Path, windtunnel: str) -> Scenario:
    """Return the scenario of taking 50 objects down."""
    pods = [_pod(f"by-hand-many-{number}", ["sleep", "1000"], "by-hand-many") for number in range(_REPLICAS)]
    (folder / "many.yaml").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": pods}))
    command = [windtunnel, "run", str(_write_many(folder)), "--backend", "kubernetes"]

    def ours() -> float:
        timed(command, folder)
        lines = (last_run(folder, "many") / "events.jsonl").read_text().splitlines()
        events = {event["type"]: event for event in map(json.loads, lines)}
        began, ended = (datetime.fromisoformat(events[kind]["time"]) for kind in ("measured", "run_finished"))
        return (ended - began).total_seconds()

    def by_hand() -> float:
        timed(["sh", "-ec", _MANY_BY_HAND], folder)
        began, ended = map(float, (folder / "moments").read_text().split())
        return ended - began

    return Scenario("kubernetes: teardown of 50 objects", "s", 15.0, ours, by_hand, rounds=2)


def _pod(name: str, command: list[str], app: str | None = None) -> dict[str, object]:
    container = {"name": "main", "image": image(), "imagePullPolicy": "IfNotPresent", "command": command}
    spec = {"restartPolicy": "Never", "containers": [container]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": app or name}},
        "spec": spec,
    }


def _server_by_hand() -> list[Mapping[str, object]]:
    pod = _pod("by-hand-server", [*_SERVER, "8000"])
    probe = {"httpGet": {"path": "/ready", "port": 8000}, "periodSeconds": 1}
    spec: dict[str, list[dict[str, object]]] = pod["spec"]  # type: ignore[assignment]
    spec["containers"][0]["readinessProbe"] = probe
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "by-hand-server"},
        "spec": {"selector": {"app": "by-hand-server"}, "ports": [{"port": 8000}]},
    }
    return [pod, service]


def write_benchmark(folder: Path) -> Path:
    """Write the benchmark of a server and a client of one second; return its file."""
    file = folder / "one_second_kubernetes.toml"
    file.write_text(f"""
spec_version = "1"
[benchmark]
name = "{NAME}"
strategy = "client-server"
[server]
image = "{image()}"
command = {json.dumps([*_SERVER, "$PORT"])}
port = 0
ready = {{ http = "/ready" }}
[client]
image = "{image()}"
command = {json.dumps(["sh", "-c", CLIENT.replace("$", "$$")])}
[[metrics]]
name = "value"
pattern = 'value=(\\d+)'
""")
    return file


def _write_many(folder: Path) -> Path:
    file = folder / "many.toml"
    file.write_text(f"""
spec_version = "1"
[benchmark]
name = "many"
strategy = "client-server"
[server]
image = "{image()}"
command = ["sleep", "1000"]
replicas = {_REPLICAS}
ready = {{ exec = ["true"] }}
grace = "1s"
[client]
image = "{image()}"
command = ["echo", "value=1"]
[[metrics]]
name = "value"
pattern = 'value=(\\d+)'
""")
    return file
