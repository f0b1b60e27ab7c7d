"""A fault in a run on a cluster: what the run came to, how soon its cause was named, how soon nothing was left."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from support.docker_lab import client_server
from support.kubernetes_lab import kubectl, salt
from support.lab import Lab, Result, finish
from windtunnel.backends.kubernetes.install import NODES

NO_IMAGE = "127.0.0.1:9/nothing:1"
"""An image that nobody has, in a registry that is not there."""
NAMED_SECONDS = 25.0
"""A cause is told within seconds; this machine may be a busy one."""
FINISH_SECONDS = 300.0
LOG_SECONDS = 240.0
ITERATIONS = 2
"""How many a hanging run has: one is over and its samples are on disk, the next never ends."""
REQUESTS = 5
"""How many samples an iteration of the tests' client has."""


@dataclass
class Fault:
    """One run that something happens to.

    Attributes:
        lab: Where it is started.
        wait_empty: Waits until the cluster holds nothing of it.
        note: Writes a figure into the tests' report (``--junit-xml``).
        namespace: Where its objects are.
    """

    lab: Lab
    wait_empty: Callable[[], None]
    note: Callable[[str, object], None]
    namespace: str = "default"
    struck: float | None = field(default=None, init=False)

    def run(self, text: str, *arguments: str) -> Result:
        """Run a benchmark to its end."""
        with self._start(text, *arguments) as process:
            return finish(process, FINISH_SECONDS)

    def use(self, namespace: str) -> None:
        """Have runs in another namespace."""
        self.namespace = namespace
        self.lab.env = self.lab.env | {"WINDTUNNEL_NAMESPACE": namespace}

    @contextmanager
    def hanging(self, text: str | None = None) -> Iterator[subprocess.Popen[str]]:
        """Start a run, and lend its driver once its client hangs, in the second iteration."""
        tables = f"[run]\nrepeats = {ITERATIONS}"
        with self._start(text or client_server(client=f"--hang-in {ITERATIONS}", tables=tables)) as process:
            try:
                self.lab.wait_for_log("client", "client: hanging", LOG_SECONDS, process)
                yield process
            finally:
                if process.poll() is None:
                    process.kill()

    def _start(self, text: str, *arguments: str) -> subprocess.Popen[str]:
        file = self.lab.write(text)
        return self.lab.start("run", str(file), "--backend", "kubernetes", "--json", *arguments)

    def strike(self, act: Callable[[], object]) -> None:
        """Do what goes wrong, and count the time from here."""
        self.struck = time.time()
        act()

    def name(self, title: str, iteration: int | None = None) -> str:
        """Return what an object of the run is called."""
        return f"{title}-{salt(self.lab.only_run().name)}" + (f"-{iteration}" if iteration else "")

    @property
    def client_pod(self) -> str:
        """The name of the pod of the client that hangs."""
        return self.name("client", ITERATIONS)

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl in the run's namespace."""
        return kubectl("--namespace", self.namespace, *arguments, text=text)

    def delete(self, kind: str, name: str) -> None:
        """Delete an object, and don't wait for it."""
        self.kubectl("delete", kind, name, "--wait=false")

    def evict(self, pod: str) -> None:
        """Ask for a pod's eviction, as a drain does."""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}/eviction"
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": self.namespace},
        }
        self.kubectl("create", "--raw", path, "--filename", "-", text=json.dumps(eviction))

    def execute(self, pod: str, container: str, *command: str) -> str:
        """Run a command in a container."""
        return self.kubectl("exec", pod, "--container", container, "--", *command)

    def warden_pod(self) -> str:
        """Return the name of the pod of the run's warden."""
        selector = f"batch.kubernetes.io/job-name={self.name('warden')}"
        return self.kubectl("get", "pods", "--selector", selector, "--output", "name").strip().partition("/")[2]

    def ended(self, result: Result, exit_code: int, *causes: str) -> str:
        """Check what a run came to, and that soon nothing of it is left; return its cause in words."""
        assert result.exit_code == exit_code, result.stderr
        assert result.cause in causes, result.stderr
        self.wait_empty()
        gone = time.time()
        began, named = self._moment("run_started"), self._moment("cause")
        since = self.struck or began
        self.note("exit code", result.exit_code)
        self.note("cause", result.cause)
        self.note("named after", round(named - since, 1))
        self.note("nothing left after", round(gone - since, 1))
        assert result.record["resources"]["left"] == []
        if self.struck:
            assert named - since < NAMED_SECONDS
        return str(result.record["cause"]["message"])

    def killed(self, at: str) -> None:
        """Check that soon nothing is left of a run whose driver was just killed, at a moment with a name."""
        self.struck = time.time()
        self.note("at", at)
        self.wait_empty()
        self.note("nothing left after", round(time.time() - self.struck, 1))

    def _moment(self, event: str) -> float:
        found = (json.loads(line) for line in (self.lab.only_run() / "events.jsonl").read_text().splitlines())
        return next(datetime.fromisoformat(each["time"]).timestamp() for each in found if each["type"] == event)


def shell_client(script: str, tables: str = "", keys: str = "") -> str:
    """Return a benchmark of the tests' server and a client that is a shell script."""
    command = f"command = {json.dumps(['sh', '-c', script])}"
    text = client_server(tables=tables, keys=keys)
    return "\n".join(command if "client.py" in line else line for line in text.splitlines())


@contextmanager
def namespace(fault: Fault) -> Iterator[None]:
    """Have a fault's runs in an empty namespace of its own, removed afterwards."""
    name = f"windtunnel-tests-{uuid4().hex[:8]}"
    fault.use(name)
    kubectl("create", "namespace", name)
    try:
        yield
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


@contextmanager
def installed(fault: Fault, *things: dict[str, Any]) -> Iterator[None]:
    """Have a fault's runs in a namespace that has what they need and some objects more, removed afterwards."""
    with namespace(fault):
        try:
            done = fault.lab.call("install", "kubernetes", "--namespace", fault.namespace)
            assert done.exit_code == 0, done.stderr
            for thing in things:
                fault.kubectl("apply", "--server-side", "--force-conflicts", "--filename", "-", text=json.dumps(thing))
                if thing["kind"] == "ResourceQuota":
                    # It is enforced once it is known how much of it is used.
                    ready = "--for=jsonpath={.status.used}"
                    fault.kubectl("wait", "resourcequota", thing["metadata"]["name"], ready, "--timeout=60s")
            yield
        finally:
            kubectl("delete", "clusterrolebinding", f"{NODES}-{fault.namespace}", "--ignore-not-found")


def write_kubeconfig(path: Path, namespace: str, account: str) -> None:
    """Write the kubeconfig of a service account."""
    found = json.loads(kubectl("config", "view", "--minify", "--flatten", "--output", "json"))
    token = kubectl("--namespace", namespace, "create", "token", account).strip()
    found["users"] = [{"name": "account", "user": {"token": token}}]
    found["contexts"][0]["context"] |= {"user": "account", "namespace": namespace}
    path.write_text(json.dumps(found), encoding="utf-8")
