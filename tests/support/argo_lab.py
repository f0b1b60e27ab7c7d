"""Argo Workflows for tests: benchmarks submitted as users do, and what they leave, counted from outside."""

from __future__ import annotations

import base64
import fcntl
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cluster import places
from support import kubernetes_api, kubernetes_lab
from support.kubernetes_lab import kubectl
from support.needs import lacking
from windtunnel.backends import make_backend
from windtunnel.backends.kubernetes.settings import runner_image
from windtunnel.engines.argo.nodes import nodes_of

ARGO = places.binary("argo")
TEMPLATES = Path(__file__).parents[2] / "argo_templates"
OVER = {"Succeeded", "Failed", "Error"}
CONTROLLER = ("--namespace", "argo", "deployment/workflow-controller")
SECONDS = 400.0
KILL_DRIVER = """
import os
for each in os.listdir("/proc"):
    if each.isdigit() and each != "1" and b"argo\\0drive" in open(f"/proc/{each}/cmdline", "rb").read():
        os.kill(int(each), 9)
"""
"""A program that kills the driver in whose pod it runs."""


@cache
def need_argo() -> None:
    """Skip the test without Argo's program, its controller and our templates; fail it if they are asked for."""
    kubernetes_lab.need_project_images()
    if reason := why_not():
        lacking(f"argo: {reason}", "argo")


@contextmanager
def controller(*, is_mine: bool = False) -> Iterator[None]:
    """Have Argo's controller work, meanwhile; or have it for a test alone, which ends it."""
    need_argo()
    with (places.cache() / "argo-controller.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX if is_mine else fcntl.LOCK_SH)
        yield


@contextmanager
def controller_with(variable: str, value: str) -> Iterator[None]:
    """Have Argo's controller, which is the test's alone, work with a variable; and without it again."""
    _restart_with(f"{variable}={value}")
    try:
        yield
    finally:
        _restart_with(f"{variable}-")


def _restart_with(change: str) -> None:
    # There is one at a time: two of them would both work on each workflow.
    kubectl(*CONTROLLER[:2], "scale", CONTROLLER[2], "--replicas=0")
    kubectl(*CONTROLLER[:2], "set", "env", CONTROLLER[2], change)
    kubectl(*CONTROLLER[:2], "wait", "--for=delete", "pod", "--selector=app=workflow-controller", "--timeout=60s")
    start_controller()


def start_controller() -> None:
    """Have Argo's controller work again, after a test has taken it away."""
    kubectl(*CONTROLLER[:2], "scale", CONTROLLER[2], "--replicas=1")
    kubectl(*CONTROLLER[:2], "rollout", "status", CONTROLLER[2], "--timeout=120s")


@cache
def why_not() -> str | None:
    """Return why workflows of ours cannot run here, or None."""
    if reason := make_backend("kubernetes").available():
        return reason
    if not ARGO.is_file():
        return "its program is not built; make cluster-up"
    if not kubectl("get", "workflowtemplates", "client-server", "--ignore-not-found", "--output", "name"):
        return "its templates are not there; windtunnel install argo"
    return None


def argo(*arguments: str, seconds: float = SECONDS) -> subprocess.CompletedProcess[str]:
    """Run the argo program with the current context."""
    return subprocess.run(
        [str(ARGO), *arguments], text=True, capture_output=True, check=False, timeout=seconds, stdin=subprocess.DEVNULL
    )


class Over(AssertionError):
    """A workflow ended before what was waited for."""


@dataclass
class Workflow:
    """A workflow that was submitted.

    Attributes:
        name: Its name.
    """

    name: str

    def read(self) -> dict[str, Any]:
        """Return it as the API has it."""
        return kubernetes_api.read(self._path)

    @property
    def _path(self) -> str:
        return f"/apis/argoproj.io/v1alpha1/namespaces/{kubernetes_api.namespace()}/workflows/{self.name}"

    @property
    def phase(self) -> str:
        """Its phase; empty before it has one."""
        return kubernetes_api.labels(self._path).get("workflows.argoproj.io/phase", "")

    @property
    def message(self) -> str:
        """What `argo list` says of it."""
        return str(self.read()["status"].get("message", ""))

    @property
    def outputs(self) -> dict[str, str]:
        """Its output parameters."""
        found = self.read()["status"].get("outputs", {}).get("parameters", [])
        return {each["name"]: each["value"] for each in found}

    @property
    def record(self) -> dict[str, Any]:
        """The record of its run, which is over."""
        return dict(json.loads(self.read()["metadata"]["annotations"]["windtunnel.dev/record"]))

    def nodes(self, template: str) -> list[dict[str, Any]]:
        """Return the nodes of pods that were made of a template, in the order of their starts."""
        pods = [
            node for node in nodes_of(self.read()) if node["type"] == "Pod" and node.get("templateName") == template
        ]
        return sorted(pods, key=lambda node: str(node["startedAt"]))

    def acts(self) -> list[dict[str, Any]]:
        """Return the nodes of its driver's acts, in their order."""
        found = (node for node in nodes_of(self.read()) if node["type"] == "Suspend")
        return sorted(found, key=lambda node: str(node["startedAt"]))

    def until(self, holds: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"no {what} in time: {argo('get', self.name).stdout}"
            time.sleep(0.3)

    def meanwhile(self, holds: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
        """Wait until something holds that can only come while it runs; raise `Over` at once when it runs no more."""

        def holds_or_over() -> bool:
            # Looked at first: what came at the very end is there when it is over.
            is_over = self.phase in OVER
            if holds():
                return True
            if is_over:
                raise Over(f"over, and no {what}: {argo('get', self.name).stdout}")
            return False

        self.until(holds_or_over, what, seconds)

    def end(self, seconds: float = SECONDS) -> str:
        """Wait for its end and return its phase."""
        self.until(lambda: self.phase in OVER, "end", seconds)
        return self.phase

    def pods(self) -> list[dict[str, Any]]:
        """Return the pods that Argo made for it and that are still there."""
        path = f"/api/v1/namespaces/{kubernetes_api.namespace()}/pods"
        return list(kubernetes_api.read(path, labelSelector=f"workflows.argoproj.io/workflow={self.name}")["items"])

    def until_collected(self, seconds: float) -> None:
        """Wait until Argo has collected its pods."""
        self.until(lambda: not self.pods(), "collection of its pods", seconds)

    def run_id(self) -> str:
        """Return its run's id."""
        uid, created = self.read()["metadata"]["uid"], self.read()["metadata"]["creationTimestamp"]
        stamp = created.replace("-", "").replace(":", "").replace("T", "-").removesuffix("Z")
        return f"faulty-{stamp}-{uid.replace('-', '')[:4]}"

    def left(self) -> set[str]:
        """Return what there is of its run, Argo's own pods not counted."""
        return kubernetes_lab.objects_of(self.run_id())


def encoded(text: str) -> str:
    """Return a benchmark as the parameter of a template."""
    return base64.b64encode(text.encode()).decode()


@contextmanager
def submitted(text: str, store: str, *arguments: str, template: str = "client-server") -> Iterator[Workflow]:
    """Submit a benchmark from its strategy's template with the argo program; it is deleted afterwards."""
    given = {"benchmark": encoded(text), "store": store}
    with submitted_with(given, *arguments, template=template) as workflow:
        yield workflow


@contextmanager
def submitted_with(given: dict[str, str], *arguments: str, template: str = "client-server") -> Iterator[Workflow]:
    """Submit a template with parameters and the argo program; it is deleted afterwards."""
    parameters = [
        word for key, value in (given | {"image": runner_image()}).items() for word in ("--parameter", f"{key}={value}")
    ]
    done = argo("submit", "--from", f"workflowtemplate/{template}", *parameters, *arguments, "--output", "name")
    assert done.returncode == 0, done.stderr
    workflow = Workflow(done.stdout.strip())
    try:
        yield workflow
    finally:
        kubectl("delete", "workflow", workflow.name, "--ignore-not-found", "--wait=false")
