"""What a suite can hold, for `test_interruption.py`: each test starts something, says so, and never ends."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from support.deployed import slow
from support.docker_lab import client_server as in_containers
from support.kubernetes_faults import Fault, namespace
from support.lab import Lab, client_server
from support.prefect_lab import PrefectLab

HELD = "WINDTUNNEL_TESTS_HELD"
"""The variable that names the folder in which each test says what it holds."""


def hold(thing: str, name: str = "") -> None:
    """Say what is there, and never end."""
    (Path(os.environ[HELD]) / thing).write_text(name, encoding="utf-8")
    threading.Event().wait()


def test_prefect_server(worker: PrefectLab) -> None:
    """A server and a worker, which has a flow run, whose client has a minute to go."""
    run = worker.start("single-node/windtunnel", benchmark={"toml": slow("held", 60)})
    worker.until_event(run, "iteration_started")
    hold("prefect_server")


def test_process(lab: Lab) -> None:
    """A driver with its warden, a server and a client that hangs."""
    with lab.start("run", str(lab.write(client_server(client="--hang-in 1")))) as process:
        lab.wait_for_log("client", "client: hanging", process=process)
        hold("process")


def test_containers(lab: Lab) -> None:
    """A run on Docker that hangs."""
    with lab.start("run", str(lab.write(in_containers(client="--hang-in 1"))), "--backend", "docker") as process:
        lab.wait_for_log("client", "client: hanging", process=process)
        hold("containers")


def test_namespace(fault: Fault) -> None:
    """An empty one of its own."""
    with namespace(fault):
        hold("namespace", fault.namespace)
