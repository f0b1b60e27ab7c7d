"""The suite itself is interrupted: it leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.kubernetes_lab import kubectl
from support.lab import PROGRAMS

HELD = "WINDTUNNEL_TESTS_HELD"
CHECKOUT = PROGRAMS.parents[1]
HELD_SECONDS = 400.0
END_SECONDS = 150.0


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("docker_empty")
def test_ctrl_c_ends_a_suite_with_all_that_it_has(nothing_left: Callable[[], None], tmp_path: Path) -> None:
    """A terminal sends it to all of its processes; a Prefect server and its worker are in sessions of their own."""
    with suite(tmp_path, "containers", "prefect_server") as process:
        os.killpg(process.pid, signal.SIGINT)
    nothing_left()


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("docker_empty", "cluster_empty")
def test_sigterm_ends_a_suite_with_all_that_it_has(nothing_left: Callable[[], None], tmp_path: Path) -> None:
    """Its first process gets it, and ends the others in order."""
    with suite(tmp_path, "process", "containers", "namespace") as process:
        process.terminate()
    nothing_left()

    name = (tmp_path / "namespace").read_text()
    phase = kubectl("get", "namespace", name, "--ignore-not-found", "--output", "jsonpath={.status.phase}")
    assert phase in {"", "Terminating"}


@contextmanager
def suite(folder: Path, *things: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a suite that holds some things at once, lend its first process, and see that it ends, soon."""
    log = folder / "suite.log"
    tests = [f"{Path(__file__).with_name('interrupted.py')}::test_{thing}" for thing in things]
    options = ["-n", str(len(things)), "-p", "no:cacheprovider", f"--basetemp={folder / 'suite'}"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=CHECKOUT,
            env=env | {HELD: str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + HELD_SECONDS
    while not all((folder / thing).exists() for thing in things):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    yield process
    assert process.wait(END_SECONDS) == pytest.ExitCode.INTERRUPTED, log.read_text()
