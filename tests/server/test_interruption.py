"""The suite itself is interrupted: it leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support import docker_lab
from support.kubernetes_lab import kubectl
from support.lab import PROGRAMS

CHECKOUT = PROGRAMS.parents[1]
HELD_SECONDS = 400.0
END_SECONDS = 150.0
CASES = {
    "prefect_server": "SIGINT",
    "process": "SIGTERM",
    "containers": "SIGTERM",
    "namespace": "SIGTERM",
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("thing", CASES)
def test_a_suite_that_is_interrupted_leaves_nothing(
    nothing_left: Callable[[float], None], tmp_path: Path, thing: str
) -> None:
    """Ctrl-C, which a terminal sends to all of its processes, or SIGTERM to the first of them."""
    if thing == "containers":
        docker_lab.need_docker()
    name = interrupt(thing, tmp_path)
    nothing_left(20)

    if thing == "containers":
        docker_lab.wait_empty(tmp_path)
    if thing == "namespace":
        phase = kubectl("get", "namespace", name, "--ignore-not-found", "--output", "jsonpath={.status.phase}")
        assert phase in {"", "Terminating"}


def interrupt(thing: str, folder: Path) -> str:
    """Start a suite of two processes, interrupt it once it holds something, and return what it says of that."""
    held, log = folder / "held", folder / "suite.log"
    command = [sys.executable, "-m", "pytest", "-n", "2", "-p", "no:cacheprovider", f"--basetemp={folder / 'suite'}"]
    file = Path(__file__).with_name("interrupted.py")
    with log.open("wb") as output:
        suite = subprocess.Popen(
            [*command, str(file), "-k", f"holds_a_{thing}" if thing != "containers" else "holds_containers"],
            cwd=CHECKOUT,
            env={k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
            | {"WINDTUNNEL_TESTS_HELD": str(held)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + HELD_SECONDS
    while not held.exists() or not held.read_text():
        assert suite.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    if CASES[thing] == "SIGINT":
        os.killpg(suite.pid, signal.SIGINT)
    else:
        suite.terminate()
    assert suite.wait(END_SECONDS) == pytest.ExitCode.INTERRUPTED, log.read_text()
    return held.read_text()
