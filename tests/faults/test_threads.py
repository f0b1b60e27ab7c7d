"""Processes whose main thread has ended while others go on: /proc shows them as zombies, and they live."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from support import docker_lab, kubernetes_lab
from support.lab import PROGRAMS, Lab, client_server, finish, free_port, living, single_node
from windtunnel.backends.notifier import Notifier
from windtunnel.backends.process.warden_client import WardenClient
from windtunnel.run.control import Control

NothingLeft = Callable[[], None]
STUBBORN = [sys.executable, str(PROGRAMS / "server.py"), "--ignore-term", "--end-main-thread"]
RATE = '[[metrics]]\nname = "rate"\npattern = "rate=(\\\\S+)"'


def leaving(port: int, then: str = "echo rate=1") -> str:
    """Return a benchmark whose client leaves such a process behind."""
    server = " ".join([*STUBBORN, "--port", str(port)])
    wait = "while ! grep -q listening out; do sleep 0.05; done; sleep 0.1"
    return single_node(["sh", "-c", f"{server} > out & {wait}; {then}"], RATE)


def zombies() -> list[int]:
    """Return the processes below this one that live without a main thread."""
    return [pid for pid in living() if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE]


def test_one_that_a_client_leaves_is_ended(lab: Lab, nothing_left: NothingLeft) -> None:
    """It is told, killed, and counted as gone."""
    result = lab.run(leaving(free_port()))
    nothing_left()

    assert result.exit_code == 0
    assert "left processes behind; they are ended" in result.stderr
    assert result.record["resources"] == {"created": 1, "gone": 1, "left": []}


def test_one_that_serves_is_measured_and_ended(lab: Lab, nothing_left: NothingLeft) -> None:
    """It is a server like any other."""
    result = lab.run(client_server(server="--ignore-term --end-main-thread"))
    nothing_left()

    assert result.exit_code == 0
    assert result.record["metrics"]["latency"]["n"] == 1
    assert result.record["resources"]["left"] == []


def test_one_is_ended_when_the_driver_is_killed(lab: Lab, nothing_left: NothingLeft) -> None:
    """The warden sees it."""
    with lab.start("run", str(lab.write(leaving(free_port(), "echo here; sleep 1000")))) as process:
        lab.wait_for_log("client", "here")
        assert zombies()
        process.kill()
        finish(process)
    nothing_left()


@pytest.mark.alone
def test_reap_ends_one_that_lost_driver_and_warden(lab: Lab, nothing_left: NothingLeft) -> None:
    """Its mark is read from a thread that lives."""
    with lab.start("run", str(lab.write(leaving(free_port(), "echo here; sleep 1000")))) as process:
        lab.wait_for_log("client", "here")
        (warden,) = psutil.Process(process.pid).children()
        warden.suspend()
        process.kill()
        finish(process)
        for keeper in warden.children():
            keeper.kill()
        warden.kill()
    (pid,) = zombies()
    found = json.loads(lab.call("reap", "--json").stdout)
    nothing_left()

    assert any(f"process {pid})" in name for name in found["found"])
    assert found["left"] == []


def test_the_warden_lists_one(tmp_path: Path, nothing_left: NothingLeft) -> None:
    """What survives is named."""
    warden = WardenClient(Notifier(Control(60)), "run", 60, tmp_path / "errors")
    port = free_port()
    warden.spawn([*STUBBORN, "--port", str(port)], tmp_path, {}, tmp_path / "log")
    deadline = time.monotonic() + 20
    while not zombies():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (listed,) = warden.processes()

    assert listed[0] in zombies()
    assert warden.close()
    nothing_left()


@pytest.mark.usefixtures("docker_empty")
def test_one_in_a_container_is_measured_and_ended(lab: Lab) -> None:
    """Docker ends all that a container holds."""
    result = lab.run(docker_lab.client_server(server="--ignore-term --end-main-thread"), "--backend", "docker")

    assert result.exit_code == 0
    assert result.record["resources"]["left"] == []


@pytest.mark.full
@pytest.mark.usefixtures("cluster_empty")
@pytest.mark.parametrize("placement", ["apart", "same-pod"])
def test_one_in_a_pod_is_measured_and_ended(lab: Lab, placement: str) -> None:
    """Its memory counts as its container's, though /proc tells neither of the process itself."""
    keys = f'placement = "{placement}"'
    text = docker_lab.client_server(
        server="--ignore-term --end-main-thread --latency 0.3",
        client="--requests 10",
        server_keys=keys,
        ready="{ tcp = true }",
    ).replace(docker_lab.image(), kubernetes_lab.image())
    result = lab.run(text, "--backend", "kubernetes")

    assert result.exit_code == 0, result.stderr
    assert result.record["usage"]["server"]["memory_max"] > 1e6
    assert result.record["resources"]["left"] == []


@pytest.mark.full
def test_one_in_a_pod_is_ended_when_the_driver_is_killed(lab: Lab, cluster_empty: NothingLeft) -> None:
    """What runs its container takes it for ended, so the collector beside it ends it."""
    lab.env = dict(os.environ)  # with the short lease
    text = docker_lab.client_server(server="--ignore-term --end-main-thread", client="--hang-in 1")
    file = lab.write(text.replace(docker_lab.image(), kubernetes_lab.image()))
    with lab.start("run", str(file), "--backend", "kubernetes") as process:
        lab.wait_for_log("client", "hanging", process=process)
        process.kill()
        finish(process)
    cluster_empty()
