"""The same real servers in containers: on Docker, and on Kubernetes in two pods, in one, and as replicas."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from support import docker_lab, kubernetes_lab
from support.lab import Lab, Result
from support.servers import SIEGE_KEYS, nginx, postgres, redis

pytestmark = [pytest.mark.usefixtures("nothing_left"), pytest.mark.timeout(600)]
RATES = {
    "redis": "requests_per_second{test=GET}",
    "nginx": "requests_per_second",
    "postgres": "transactions_per_second",
}
# Each at a pace of its own, so that nobody waits for a CPU: that is another verdict.
SIEGE = ["siege", "--rc=siegerc", "--no-parser", "-d", "0.1", "-c", "4", "-r", "20", "$SERVER_URL/"]
PGBENCH = "{pgbench} -i -q {connect} 2>/dev/null && {pgbench} -n -c 2 -T 2 -R 100 -b simple-update {connect}"
REPLICAS = 3


@pytest.fixture
def docker(request: pytest.FixtureRequest) -> str:
    """The image of servers, for Docker; nothing of the runs may be left there."""
    request.getfixturevalue("docker_empty")
    return docker_lab.image("servers")


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> str:
    """The image of servers, which the cluster has; nothing of the runs may be left there."""
    request.getfixturevalue("cluster_empty")
    return kubernetes_lab.image("servers")


def siege(image: str, access_log: str = "off") -> str:
    """Return a benchmark of nginx under siege."""
    tables = '[[metrics]]\nparser = "siege"\n'
    return nginx(SIEGE, tables, client_keys=SIEGE_KEYS, image=image, access_log=access_log)


def pgbench(image: str) -> str:
    """Return a benchmark of PostgreSQL under pgbench."""
    return postgres(PGBENCH, '[[metrics]]\nparser = "pgbench"\n', image=image)


SERVERS: dict[str, Callable[[str], str]] = {
    "redis": lambda image: redis(image=image),
    "nginx": siege,
    "postgres": pgbench,
}
full = pytest.mark.full
one_server = pytest.mark.parametrize(
    "server", ["redis", pytest.param("nginx", marks=full), pytest.param("postgres", marks=full)]
)


def assert_valid(result: Result, server: str) -> None:
    """Three iterations with a rate each, nothing to complain of, nothing left."""
    assert result.exit_code == 0, result.stderr
    assert result.is_valid, result.record["reasons"]
    assert result.record["metrics"][RATES[server]]["n"] == 3, sorted(result.record["metrics"])
    assert result.record["metrics"][RATES[server]]["mean"] > 10
    assert result.record["resources"]["left"] == []


def stopped_well(lab: Lab, server: str) -> bool:
    """Tell whether the server's own last words are those of an orderly end."""
    words = {"redis": "bye", "postgres": "database system is shut down", "nginx": ""}
    return words[server] in (lab.only_run() / "logs" / "server.log").read_text()


@one_server
def test_a_server_on_docker(lab: Lab, docker: str, server: str) -> None:
    """Valid, and stopped by its own command."""
    result = lab.run(SERVERS[server](docker), "--backend", "docker")

    assert_valid(result, server)
    assert stopped_well(lab, server)


@one_server
def test_a_server_on_another_node_than_its_client(lab: Lab, cluster: str, server: str) -> None:
    """Valid; the cluster's own word for where the pods were is that of the run's environment."""
    with kubernetes_lab.seen_pods() as pods:
        result = lab.run(SERVERS[server](cluster), "--backend", "kubernetes")

    assert_valid(result, server)
    assert stopped_well(lab, server)
    nodes = kubernetes_lab.nodes_of(pods, result.record["run_id"])
    assert len(nodes["server"]) == len(nodes["client"]) == 1
    assert nodes["server"] != nodes["client"]
    environment = json.loads((lab.only_run() / "environment.json").read_text())
    assert {step: set(each["nodes"]) for step, each in environment["steps"].items()} == nodes


@full
@pytest.mark.parametrize("server", SERVERS)
def test_a_server_in_one_pod_with_its_client(lab: Lab, cluster: str, server: str) -> None:
    """Valid; each iteration is a pod of its own, of both, and no other pod of the run has the server."""
    placement = ("--set", "server.placement=same-pod")
    with kubernetes_lab.seen_pods() as pods:
        result = lab.run(SERVERS[server](cluster), "--backend", "kubernetes", *placement)

    assert_valid(result, server)
    salt = kubernetes_lab.salt(result.record["run_id"])
    containers = [
        {each["name"] for each in pod["spec"]["containers"] + pod["spec"].get("initContainers", [])}
        for name, pod in pods.items()
        if salt in name and not name.startswith("warden")
    ]
    assert len(containers) == (4 if server == "redis" else 3)
    assert all({"client", "server"} <= each for each in containers)


@pytest.mark.parametrize("backend", [pytest.param("docker", marks=full), "kubernetes"])
def test_all_replicas_of_a_server_are_hit(request: pytest.FixtureRequest, lab: Lab, backend: str) -> None:
    """Behind one name; each has requests in its own log, and none is lost."""
    image = request.getfixturevalue({"docker": "docker", "kubernetes": "cluster"}[backend])
    text = siege(image, access_log="/dev/stdout")
    result = lab.run(text, "--backend", backend, "--set", f"server.replicas={REPLICAS}")

    assert_valid(result, "nginx")
    logs = sorted((lab.only_run() / "logs").glob("server*.log"))
    hits = [log.read_text().count("Siege/") for log in logs]
    assert len(hits) == REPLICAS
    assert min(hits) > 0
    assert sum(hits) >= sum(result.record["metrics"]["requests"]["values"])
