"""From a benchmark to its plan."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from windtunnel.plan import Plan, Probe, Service

PlanOf = Callable[[str], Plan]
CACHE = '\n[servers.cache]\ncommand = ["redis-server", "--port", "$PORT"]\nport = 0\n'


def server_of(plan: Plan, name: str = "server") -> Service:
    """Return a service of a plan."""
    step = plan.step(name)
    assert isinstance(step, Service)
    return step


def test_single_node_is_one_job(plan_of: PlanOf, single_node: str) -> None:
    """There is nothing but the client, with what the run table says."""
    plan = plan_of(single_node + "\n[run]\nwarmup = 1\nrepeats = 5\n[output]\nartifacts = ['*.csv']")
    assert [step.name for step in plan.steps] == ["client"]
    assert (plan.jobs[0].warmup, plan.jobs[0].repeats, plan.jobs[0].fresh) == (1, 5, False)
    assert plan.jobs[0].artifacts == ("*.csv",)
    assert [(metric.name, metric.unit, metric.better) for metric in plan.jobs[0].metrics] == [("rate", "1/s", "higher")]


def test_client_server_is_a_service_and_a_job(plan_of: PlanOf, client_server: str) -> None:
    """The client needs the server, whose readiness is a TCP probe unless said otherwise."""
    plan = plan_of(client_server)
    assert [step.name for step in plan.order()] == ["server", "client"]
    assert plan.jobs[0].needs == ("server",)
    assert server_of(plan).ready.probe == Probe(kind="tcp")
    assert server_of(plan).ready.within == 60


def test_the_client_needs_every_server(plan_of: PlanOf, client_server: str) -> None:
    """Also those that it does not mention; the order is that of the file."""
    plan = plan_of(client_server + CACHE)
    assert [step.name for step in plan.order()] == ["server", "cache", "client"]
    assert plan.jobs[0].needs == ("server", "cache")


@pytest.mark.parametrize(
    "mention",
    [
        'env = { CACHE = "$CACHE_HOST:$CACHE_PORT" }',
        'files = { "app.conf" = "cache ${CACHE_URL}" }',
        'ready = { exec = ["ping", "$CACHE_PORT"] }',
        'live = { exec = ["ping", "$CACHE_PORT"] }',
        'stop = ["flush", "$CACHE_PORT"]',
    ],
)
def test_a_server_needs_the_servers_that_it_mentions(plan_of: PlanOf, client_server: str, mention: str) -> None:
    """Whatever string of a server has another's address, that other one starts first."""
    plan = plan_of(client_server.replace("port = 0\n", f"port = 0\n{mention}\n", 1) + CACHE)
    assert server_of(plan).needs == ("cache",)
    assert [step.name for step in plan.order()] == ["cache", "server", "client"]


def test_a_server_does_not_need_itself(plan_of: PlanOf, client_server: str) -> None:
    """A server may mention its own address."""
    plan = plan_of(client_server.replace("port = 0\n", 'port = 0\nenv = { SELF = "$SERVER_URL" }\n', 1))
    assert server_of(plan).needs == ()


@pytest.mark.parametrize(
    ("keys", "tables", "fresh"),
    [("", "", False), ("", "[run]\nfresh = true", True), ('placement = "same-pod"', "", True)],
)
def test_same_pod_means_fresh(plan_of: PlanOf, client_server: str, keys: str, tables: str, *, fresh: bool) -> None:
    """A server in the client's pod lives for one iteration, as one does that is asked to be fresh."""
    plan = plan_of(client_server.replace("port = 0\n", f"port = 0\n{keys}\n", 1) + tables)
    assert plan.jobs[0].fresh is fresh


@pytest.mark.parametrize(
    ("ready", "probe"),
    [
        ('{ http = "/ok", port = 81 }', Probe(kind="http", target="/ok", port=81)),
        ("{ tcp = true, port = 81 }", Probe(kind="tcp", port=81)),
        ('{ exec = ["ping", "x"] }', Probe(kind="exec", command=("ping", "x"))),
        ('{ log = "ready$" }', Probe(kind="log", target="ready$")),
    ],
)
def test_each_probe_of_a_file_is_one_of_the_plan(plan_of: PlanOf, client_server: str, ready: str, probe: Probe) -> None:
    """Kind, target, command and port are taken over."""
    text = client_server.replace("port = 0\n", f"port = 0\nready = {ready}\n", 1)
    assert server_of(plan_of(text)).ready.probe == probe


def test_everything_of_a_server_is_in_the_plan(plan_of: PlanOf, client_server: str) -> None:
    """Durations are seconds, CPU is in cores and memory in bytes."""
    keys = """
image = "redis:7"
live = { tcp = true, every = "500ms", timeout = "2s", failures = 5 }
stop = ["stop", "it"]
grace = "1m"
replicas = 3
placement = "any"
env = { A = "1" }
files = { "x" = "y" }
resources = { cpu = "500m", memory = "1Ki" }
"""
    server = server_of(plan_of(client_server.replace("port = 0\n", f"port = 0\n{keys}\n", 1)))
    assert server.live is not None
    assert (server.live.every, server.live.timeout, server.live.failures) == (0.5, 2, 5)
    assert (server.stop, server.grace, server.replicas, server.placement) == (("stop", "it"), 60, 3, "any")
    assert (server.program.image, server.program.cpu, server.program.memory) == ("redis:7", 0.5, 1024)
    assert (dict(server.program.env), dict(server.program.files)) == ({"A": "1"}, {"x": "y"})


def test_labels_timeout_and_inputs_are_the_plans(plan_of: PlanOf, single_node: str) -> None:
    """What is said of the whole benchmark stands in the plan itself."""
    extra = 'timeout = "90s"\nlabels = { team = "a" }\n'
    inputs = '\n[[inputs]]\nsrc = "a"\npath = "b"\n'
    plan = plan_of(single_node.replace("\n[client]", f"{extra}\n[client]") + inputs)
    assert (plan.benchmark, plan.strategy, plan.timeout, dict(plan.labels)) == (
        "alone",
        "single-node",
        90,
        {"team": "a"},
    )
    assert [(item.src, item.path, item.sha256) for item in plan.inputs] == [("a", "b", None)]
