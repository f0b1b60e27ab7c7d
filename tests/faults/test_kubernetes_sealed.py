"""Sealed steps on a cluster: refused where the network lets them out, and where it does not, nothing gets out.

The test cluster's network enforces no policies, so that part is tested with rules that the test
sets on its nodes as a network's agent would: the policy itself was enforced by none.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cluster import kubeconfig
from support import policy_agent
from support.kubernetes_lab import image, kubectl, seen_pods
from support.lab import Lab
from support.needs import lacking

pytestmark = pytest.mark.usefixtures("cluster_empty", "nothing_left")
TABLES = '[[metrics]]\nname = "rate"\npattern = "rate=(\\\\S+)"\n[[inputs]]\nsrc = "data.txt"\npath = "in/data.txt"'


CLIENT = "python3 /programs/client.py $SERVER_HOST $SERVER_PORT"


def benchmark(isolation: str, targets: dict[str, tuple[str, int]]) -> str:
    """Return a benchmark of a server, and a client that tries to get out."""
    return f"""
spec_version = "1"
[benchmark]
name = "sealed"
strategy = "client-server"
[server]
image = "{image()}"
command = ["python3", "/programs/server.py", "--host", "0.0.0.0", "--port", "$PORT"]
port = 0
ready = {{ http = "/ready" }}
isolation = "{isolation}"
[client]
image = "{image()}"
command = ["sh", "-c", "{CLIENT} && exec python3 /programs/escape.py"]
isolation = "{isolation}"
env = {{ TARGETS = {json.dumps(json.dumps(targets))}, INPUT = "in/data.txt" }}
{TABLES}
"""


def escape(lab: Lab, isolation: str, targets: dict[str, tuple[str, int]]) -> dict[str, str]:
    """Run it; return what came of each way out."""
    (lab.path / "data.txt").write_text("5")
    result = lab.run(benchmark(isolation, targets), "--backend", "kubernetes")
    assert result.exit_code == 0, result.stderr
    return ways(Path(result.record["path"]) / "logs" / "client.1.log")


def ways(file: Path) -> dict[str, str]:
    """Return what a log tells of each way out."""
    log = file.read_text()
    found: dict[str, str] = {}
    for line in log.splitlines():
        if line.startswith("{"):
            found |= json.loads(line)
    return found


def test_sealed_is_refused_where_the_network_does_not_enforce_it(lab: Lab) -> None:
    """The policy was there, for exactly the sealed pods; the run ends before its command, and says why."""
    (lab.path / "data.txt").write_text("5")
    with policy_agent.mine(), seen_pods() as pods:
        with lab.start("run", str(lab.write(benchmark("sealed", {}))), "--backend", "kubernetes", "--json") as process:
            lab.wait_for("service_starting")
            policy = _policy_of(lab.only_run().name)
            stdout, _stderr = process.communicate(timeout=90)
        record = json.loads(stdout)
    if record["exit_code"] == 0:
        pytest.skip("this cluster enforces policies")

    assert (record["exit_code"], record["cause"]["code"]) == (3, "not_sealed")
    assert "NetworkPolicy is not enforced here" in record["cause"]["message"]
    run = {"windtunnel.dev/run": record["run_id"]}
    assert policy["podSelector"]["matchLabels"] == run | {"windtunnel.dev/sealed": "true"}
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["egress"] == [{"to": [{"podSelector": {"matchLabels": run}}]}]
    sealed = {name for name, pod in pods.items() if "windtunnel.dev/sealed" in pod["metadata"]["labels"]}
    assert {name.partition("-")[0] for name in sealed} == {"server"}


def _policy_of(run_id: str) -> dict[str, Any]:
    selector = f"windtunnel.dev/run={run_id}"
    (found,) = json.loads(kubectl("get", "networkpolicies", "--selector", selector, "--output", "json"))["items"]
    spec: dict[str, Any] = found["spec"]
    return spec


def outside() -> dict[str, tuple[str, int]]:
    """Return what of the cluster answers pods that are not sealed: its name server and its API."""
    dns = json.loads(kubectl("get", "service", "kube-dns", "--namespace", "kube-system", "--output", "json"))
    return {"name server": (dns["spec"]["clusterIP"], 53), "API": ("10.96.0.1", 443)}


def test_nothing_gets_out_of_a_sealed_pod(lab: Lab) -> None:
    """Not to the cluster's API or its name server, not by privileges or files; unsealed, the same program can."""
    if not kubeconfig.is_set():
        lacking("kubernetes: only the test cluster's nodes can be given rules", "kubernetes")
    targets = outside()
    with policy_agent.enforced():
        sealed = escape(lab, "sealed", targets)
    unsealed = escape(lab, "open", targets)

    # The runtime's own profile refuses AF_VSOCK since containerd 1.7; the test cluster's is older.
    assert {way for way, came in sealed.items() if came == "yes"} <= {"work", "out", "tmp", "new input", "vsock"}
    assert {"work", "out", "tmp"} <= {way for way, came in sealed.items() if came == "yes"}
    assert {sealed[way] for way in ("mount", "new user namespace", "other user", "give away")} == {"EPERM"}
    assert {sealed[way] for way in ("/", "/etc", "kernel", "input", "input, by its place")} == {"EROFS"}
    # Neither answers by itself: connected, the program waits for a byte in vain.
    assert {unsealed["connect name server"], unsealed["connect API"]} == {"ETIMEDOUT"}
    assert not {sealed["connect name server"], sealed["connect API"]} & {"yes", "ETIMEDOUT"}
    assert {way for way, came in unsealed.items() if came == "yes"} >= {"raw socket", "new user namespace", "/etc"}


@pytest.mark.full
@pytest.mark.usefixtures("argo")
def test_a_sealed_server_of_a_workflow_reaches_nothing_outside(lab: Lab) -> None:
    """Its pods are made by the driver, whoever makes the client's, which is not sealed and reaches it."""
    if not kubeconfig.is_set():
        lacking("kubernetes: only the test cluster's nodes can be given rules", "kubernetes")
    (lab.path / "data.txt").write_text("5")
    server = '"python3", "/programs/server.py", "--host", "0.0.0.0", "--port", "$PORT"'
    escaping = f'"sh", "-c", "python3 /programs/escape.py && exec \\"$@\\"", "-", {server}'
    env = f'env = {{ TARGETS = {json.dumps(json.dumps(outside()))}, INPUT = "in/data.txt" }}'
    text = benchmark("open", {}).replace("exec python3 /programs/escape.py", "echo rate=1").replace(server, escaping)
    text = text.replace('isolation = "open"', f'isolation = "sealed"\n{env}', 1)
    with policy_agent.enforced():
        result = lab.call("submit", str(lab.write(text)), "--wait", "--json")

    assert result.exit_code == 0, result.stderr
    found = ways(lab.only_run() / "logs" / "server.log")
    assert {way for way, came in found.items() if came == "yes"} <= {"work", "out", "tmp", "new input", "vsock"}
    assert not {found["connect name server"], found["connect API"]} & {"yes", "ETIMEDOUT"}
