"""What Argo's pods have from elsewhere: files of the machine that submits, and a client's Python packages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from cluster import docker as nodes
from cluster import kubeconfig, places
from support.argo_lab import Workflow
from support.claims import volume
from support.docker_lab import client_server, single_node
from support.kubernetes_lab import image, kubectl
from support.lab import Lab
from support.needs import lacking
from support.package_index import Index, package_index

pytestmark = [pytest.mark.usefixtures("cluster_empty", "nothing_left", "argo"), pytest.mark.timeout(900)]

RATE = '[[metrics]]\nname = "rate"\npattern = "rate=(\\\\S+)"\n'
INPUT = '[[inputs]]\nsrc = "data/requests.bin"\npath = "data/in.bin"\n'
BYTES = bytes(range(256)) * 3


@contextmanager
def index_of_the_cluster(folder: Path) -> Iterator[Index]:
    """Lend an index that pods reach, and that drivers in pods are told of by the Secret that they look for."""
    image()
    if not kubeconfig.is_set():
        lacking("kubernetes: it is not known how another cluster's pods reach this machine", "kubernetes")
    with places.locked("pip-secret"), package_index(folder, nodes.gateway()) as index:
        literals = [f"--from-literal={name}={value}" for name, value in index.env.items()]
        kubectl("create", "secret", "generic", "windtunnel-pip", *literals)
        try:
            yield index
        finally:
            kubectl("delete", "secret", "windtunnel-pip")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An index of packages that pods reach."""
    with index_of_the_cluster(tmp_path / "wheels") as found:
        yield found


def write_input(lab: Lab) -> None:
    """Write the file that the benchmark has as its input."""
    (lab.path / "data").mkdir()
    (lab.path / "data" / "requests.bin").write_bytes(BYTES)


def workflow_of(stderr: str) -> Workflow:
    """Return the workflow that `submit --wait` says it has submitted."""
    (line,) = (line for line in stderr.splitlines() if line.startswith("submitted "))
    return Workflow(line.split()[1])


def configmaps(name: str) -> str:
    """Return the name of the ConfigMap that belongs to a workflow, if it is there."""
    return kubectl("get", "configmap", f"{name}-benchmark", "--ignore-not-found", "--output", "name")


def test_a_client_has_local_inputs_files_and_packages(lab: Lab, index: Index) -> None:
    """The bytes of a file of this machine, and what pip installed; the ConfigMap that carries it is the workflow's."""
    program = (
        "import hashlib, importlib.metadata, sys; "
        "print('sum=' + hashlib.sha256(open('data/in.bin', 'rb').read()).hexdigest(), open('a.txt').read(), "
        "'speed=' + importlib.metadata.version('speed'), sys.prefix, flush=True); "
        "exec(open('/programs/client.py').read())"
    )
    keys = 'requirements = ["speed<2"]\nfiles = { "a.txt" = "a file" }'
    text = client_server(client_keys=keys, tables=f"{INPUT}[run]\nrepeats = 2\n")
    write_input(lab)
    lab.patience = 500
    file = lab.write(text.replace('"python3", "/programs/client.py"', f'"python3", "-c", {json.dumps(program)}'))

    result = lab.call("submit", str(file), "--wait", "--json")

    assert result.exit_code == 0, result.stderr
    assert result.record["metrics"]["latency"]["n"] == 2
    folder = lab.only_run()
    expected = f"sum={hashlib.sha256(BYTES).hexdigest()} a file speed=1 /windtunnel/python"
    for iteration in (1, 2):
        assert (folder / "logs" / f"client.{iteration}.log").read_text().startswith(expected)
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    (fetched,) = (event for event in events if event["type"] == "input_fetched")
    assert (fetched["message"], fetched["data"]["sha256"]) == ("data/requests.bin", hashlib.sha256(BYTES).hexdigest())
    (installed,) = (event for event in events if event["type"] == "requirements_installed")
    assert (installed["step"], installed["data"]["packages"]) == ("client", {"speed": "1"})
    assert index.requests > 0
    workflow = workflow_of(result.stderr)
    assert configmaps(workflow.name)
    kubectl("delete", "workflow", workflow.name)
    kubectl("wait", "--for=delete", f"configmap/{workflow.name}-benchmark", "--timeout=60s")


@pytest.mark.full
def test_a_rendered_workflow_adopts_the_configmap_that_is_rendered_with_it(lab: Lab) -> None:
    """`kubectl create` makes both; what is deleted later is the workflow."""
    write_input(lab)
    with volume("777") as claim:
        command = ["sh", "-c", "echo rate=$(wc -c <data/in.bin)"]
        file = lab.write(single_node(command, f'{RATE}{INPUT}[output]\nstore = "{claim.store}"\n'))
        rendered = lab.call("render", str(file)).stdout
        carried, made = yaml.safe_load_all(rendered)
        workflow = Workflow(made["metadata"]["name"])
        kubectl("create", "--filename", "-", text=rendered)
        try:
            assert workflow.end() == "Succeeded", workflow.message
            assert workflow.record["metrics"]["rate"]["values"] == [len(BYTES)]
            there = json.loads(kubectl("get", "configmap", carried["metadata"]["name"], "--output", "json"))
            (owner,) = there["metadata"]["ownerReferences"]
            assert (owner["kind"], owner["name"]) == ("Workflow", workflow.name)
        finally:
            kubectl("delete", "workflow", workflow.name)
        kubectl("wait", "--for=delete", f"configmap/{workflow.name}-benchmark", "--timeout=60s")


@pytest.mark.full
def test_packages_of_a_server_beside_its_client_and_of_one_apart(lab: Lab, index: Index) -> None:
    """Each has its own PATH, which nobody knew when the client's pod was planned; a PATH that is given stays."""
    version = "from importlib import metadata; print(metadata.version('speed'), flush=True)"
    for placement, path in (("same-pod", ""), ("apart", "/usr/local/bin:/usr/bin:/bin")):
        keys = f'requirements = ["speed"]\nfiles = {{ "version.py" = "{version}" }}\n'
        env = f'env = {{ PATH = "{path}" }}\n' if path else ""
        text = client_server(server_keys=f'{keys}placement = "{placement}"', client_keys=keys + env).replace(
            '"python3", "/programs/', '"sh", "-c", "python3 version.py && exec python3 \\"$@\\"", "-", "/programs/'
        )
        result = lab.call("submit", str(lab.write(text)), "--wait", "--json")

        assert result.exit_code == 0, result.stderr
        logs = lab.path / "runs" / result.record["run_id"] / "logs"
        for step in ("server", "client"):
            (log,) = {*logs.glob(f"{step}*.log")} - {*logs.glob("*.requirements.log")}
            assert log.read_text().startswith("2\n")
        kubectl("delete", "workflow", workflow_of(result.stderr).name)
    assert index.requests > 0
