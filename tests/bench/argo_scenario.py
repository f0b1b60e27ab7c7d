"""A workflow of ours against one written by hand: a daemon server, a client, an exit handler."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.kubernetes_scenario import CLIENT, write_benchmark
from bench.scenario import Scenario
from bench.timing import timed
from support.argo_lab import why_not
from support.kubernetes_lab import image

_SUBMIT = """
name=$(kubectl create -f {file} -o name)
until kubectl get $name -o jsonpath='{{.status.phase}}' | grep -qE 'Succeeded|Failed|Error'; do sleep 0.2; done
test $(kubectl get $name -o jsonpath='{{.status.phase}}') = Succeeded
"""


def scenarios(folder: Path, windtunnel: str, say: Callable[[str], None]) -> Iterator[Scenario]:
    """Yield what is compared on Argo; nothing without it."""
    if reason := why_not():
        say(f"left out, argo: {reason}")
        return
    (folder / "by-hand-workflow.json").write_text(json.dumps(_by_hand()))
    by_hand = ["sh", "-ec", _SUBMIT.format(file="by-hand-workflow.json")]
    ours = [windtunnel, "submit", str(write_benchmark(folder)), "--wait", "--json"]
    yield Scenario(
        "argo: client-server, 1 s client, fetched, against a workflow by hand",
        "s",
        5.0,
        partial(timed, ours, folder),
        partial(timed, by_hand, folder),
    )


def _by_hand() -> dict[str, Any]:
    container = {"image": image(), "imagePullPolicy": "IfNotPresent"}
    server = ["python3", "/programs/server.py", "--host", "0.0.0.0", "--port", "8000"]
    probe = {"httpGet": {"path": "/ready", "port": 8000}, "periodSeconds": 1}
    daemon = {"name": "server", "daemon": True, "container": {**container, "command": server, "readinessProbe": probe}}
    steps = [
        [{"name": "server", "template": "server"}],
        [{"name": "client", "template": "client"}],
    ]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "by-hand-"},
        "spec": {
            "entrypoint": "main",
            "onExit": "finish",
            "serviceAccountName": "windtunnel-argo",
            "podGC": {"strategy": "OnWorkflowCompletion"},
            "templates": [
                {"name": "main", "steps": steps},
                daemon,
                {"name": "client", "container": {**container, "command": ["sh", "-c", CLIENT.replace("$", "$$")]}},
                {"name": "finish", "container": {**container, "command": ["true"]}},
            ],
        },
    }
