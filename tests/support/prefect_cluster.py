"""A Prefect server and a worker in the test cluster, in a namespace of their own, as the documentation has them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from support import kubernetes_lab
from support.deployed import deploy
from support.docker_lab import RATE, shell, single_node
from support.kubernetes_lab import KUBECTL, kubectl
from support.lab import free_port
from support.prefect_lab import START_SECONDS, PrefectLab
from windtunnel.backends.kubernetes.install import NODES
from windtunnel.backends.kubernetes.settings import runner_image
from windtunnel.engines.prefect.deployment import KUBERNETES_POOL
from windtunnel.engines.prefect.job_template import API_SECRET

QUERY_SECONDS = 2


@dataclass
class PrefectCluster(PrefectLab):
    """A server in the cluster, its port forwarded to this machine.

    Attributes:
        namespace: Where it is, and its worker, and the flow runs' Jobs.
    """

    namespace: str = field(default_factory=lambda: f"windtunnel-tests-{uuid4().hex[:8]}")

    @property
    def api_url(self) -> str:
        """The address of the API as pods see it."""
        return f"http://prefect-server.{self.namespace}:4200/api"

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl in the namespace; return what it prints."""
        return kubectl("--namespace", self.namespace, *arguments, text=text)

    def get(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """Return the namespace's objects of a kind."""
        found = self.kubectl("get", kind, f"--selector={selector}", "--output", "json")
        return list(json.loads(found)["items"])

    def apply(self, name: str, *changes: tuple[str, str]) -> None:
        """Apply the manifest of a server or a worker, with the tests' image, and wait until its pod is ready.

        Args:
            name: Which one.
            changes: What is replaced in it, and by what.
        """
        text = self.windtunnel("install", "prefect", "--pool-type", "kubernetes", "--manifest", name).stdout
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        self.kubectl("apply", "--filename", "-", text=text)
        (deployment,) = re.findall(r"kind: Deployment\nmetadata:\n  name: (\S+)", text)
        self.until(lambda: self._is_ready(deployment), START_SECONDS, f"{deployment} in {self.namespace}")

    def _is_ready(self, deployment: str) -> bool:
        status = self.kubectl("get", "deployment", deployment, "--output", "jsonpath={.status.readyReplicas}")
        return status == "1"

    def start_server(self) -> None:
        """Start the server in the cluster, and wait until it answers here."""
        self.apply("server")
        self.forward()

    def forward(self) -> None:
        """Forward the server's port to this machine, again whenever that ends: the pod goes, or kubectl loses it."""
        if "forward" not in self.processes:
            command = f"{KUBECTL} --namespace {self.namespace} port-forward service/prefect-server {self.port}:4200"
            self._start("forward", "sh", "-c", f"while :; do {command}; sleep 0.5; done")
        self.until(self._answers, START_SECONDS, "the server's answer")

    def install(self, *options: str, api_url: str | None = None) -> subprocess.CompletedProcess[str]:
        """Install the pool on Kubernetes, with the server's address unless another is given."""
        place = ("--namespace", self.namespace, "--image", runner_image())
        reach = ("--api-url-for-pods", api_url or self.api_url)
        return self.windtunnel("install", "prefect", "--pool-type", "kubernetes", *place, *reach, *options)

    @contextmanager
    def start_seconds(self, seconds: int) -> Iterator[None]:
        """Give flow runs so long to start, for a time."""
        try:
            installed = self.install("--start-seconds", str(seconds))
            assert installed.returncode == 0, installed.stderr
            yield
        finally:
            self.install()

    def protect(self, password: str) -> None:
        """Give a server that is still to start a password, as USER:PASSWORD."""
        value = f"--from-literal=PREFECT_API_AUTH_STRING={password}"
        self.kubectl("create", "secret", "generic", API_SECRET, value)
        self.env["PREFECT_API_AUTH_STRING"] = password
        user, _, word = password.partition(":")
        self.api.auth = (user, word)

    def prepare(self, query_seconds: int = QUERY_SECONDS) -> None:
        """Do what the documentation says: the server, the pool, a worker that looks for work so often."""
        self.start_server()
        installed = self.install()
        assert installed.returncode == 0, installed.stderr
        self.apply("worker", ('SECONDS, value: "5"', f'SECONDS, value: "{query_seconds}"'))
        self.until(lambda: self._workers(KUBERNETES_POOL), START_SECONDS, "worker")

    def submit(self, deployment: str, **parameters: Any) -> httpx.Response:
        """Ask for a run of a deployment as the UI does; its runs are kept where it says."""
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        return self.ask("POST", f"/deployments/{self.deployment(deployment)['id']}/create_flow_run", body)

    def deploy(self, name: str, script: str, store: str, *options: str, repeats: int = 1) -> str:
        """Deploy a benchmark of a shell script that prints a rate, and whose runs are kept in a store; see `deploy`."""
        tables = f"[run]\nrepeats = {repeats}\n[output]\nstore = '{store}'\n{RATE}"
        text = single_node(shell(script), tables).replace('"alone"', f'"{name}"')
        return deploy(self, name, text, "--pool", KUBERNETES_POOL, *options)

    def flow_pods(self, run: str) -> list[dict[str, Any]]:
        """Return the pods of a flow run's Jobs."""
        return self.get("pods", f"prefect.io/flow-run-id={run}")


@contextmanager
def prefect_namespace(path: Path, port: int | None = None) -> Iterator[PrefectCluster]:
    """Lend a namespace for a server and a worker; it and all that is in it is gone afterwards.

    Args:
        path: Where logs are.
        port: This machine's, by which the server is reached; else one that is free.
    """
    kubernetes_lab.image()
    kubernetes_lab.need_project_images()
    lab = PrefectCluster(path, port or free_port())
    try:
        kubectl("create", "namespace", lab.namespace)
        yield lab
    finally:
        lab.end_all()
        role_binding = f"clusterrolebinding/{NODES}-{lab.namespace}"
        kubectl("delete", f"namespace/{lab.namespace}", role_binding, "--ignore-not-found", "--wait=false")


@contextmanager
def prefect_cluster(
    path: Path, password: str | None = None, port: int | None = None, query_seconds: int = QUERY_SECONDS
) -> Iterator[PrefectCluster]:
    """Lend a server and a worker in a namespace of their own.

    Args:
        path: Where logs are.
        password: What the server wants of everybody, as USER:PASSWORD.
        port: This machine's, by which the server is reached; else one that is free.
        query_seconds: How often the worker looks for work.
    """
    with prefect_namespace(path, port) as lab:
        if password:
            lab.protect(password)
        lab.prepare(query_seconds)
        yield lab
