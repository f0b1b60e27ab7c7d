"""The first process of a flow run's pod: who gets the pod's signals, and when it ends."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from support.lab import Lab, finish

SAYS_SO = """
import pathlib, signal, sys, time
def say(*_signal):
    pathlib.Path(sys.argv[1], sys.argv[2].rpartition(".")[2]).write_text("SIGTERM")
    time.sleep(float(sys.argv[3]))
    sys.exit(3)
signal.signal(signal.SIGTERM, say)
pathlib.Path(sys.argv[1], "up").touch()
signal.pause()
"""
"""A program that ends some seconds after SIGTERM; its second argument is the engine's name, or another's."""


def starts(name: str, then: str, seconds: float = 0) -> list[str]:
    """Return the call of a pod whose command starts a program in a session of its own, and then does something."""
    return ["flow-pod", "--", "sh", "-c", f"setsid '{sys.executable}' says.py . {name} {seconds} >&- 2>&- & {then}"]


@pytest.fixture
def pod(lab: Lab) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a pod's first process, and waits until its program is up."""
    (lab.path / "says.py").write_text(SAYS_SO)
    with ExitStack() as started:

        def start(name: str, then: str, seconds: float = 0) -> subprocess.Popen[str]:
            process = started.enter_context(lab.start(*starts(name, then, seconds)))
            until(lab.path / "up")
            return process

        yield start


def until(file: Path) -> None:
    """Wait until a file is there."""
    deadline = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < deadline, f"no {file}"
        time.sleep(0.02)


def calls_below(pid: int) -> list[str]:
    """Return the script and its first argument of each child of a process; nothing while one is a zombie."""
    try:
        return [" ".join(each.cmdline()[1:3]) for each in psutil.Process(pid).children()]
    except psutil.Error:
        return []


@pytest.mark.parametrize("name", ["prefect.engine", "prefect.flow_engine", "prefect.runner._workspace_supervisor"])
def test_the_engine_gets_sigterm_and_its_end_is_waited_for(
    pod: Callable[..., subprocess.Popen[str]], lab: Lab, name: str
) -> None:
    """The command, which would have died of it, goes on to its own end, and its status is the pod's."""
    process = pod(name, "wait $!; exit $((40 + $?))", 0.5)
    process.terminate()

    assert finish(process).exit_code == 43
    assert (lab.path / name.rpartition(".")[2]).read_text() == "SIGTERM"


def test_without_an_engine_sigterm_ends_the_command(pod: Callable[..., subprocess.Popen[str]], lab: Lab) -> None:
    """Its status tells the signal; what is not the engine gets none."""
    process = pod("prefect.engineer", "wait")
    other = [each for each in psutil.Process(process.pid).children(recursive=True) if "says.py" in each.cmdline()]
    process.terminate()

    assert finish(process).exit_code == 128 + 15
    assert not (lab.path / "engineer").exists()
    for each in other:
        each.kill()
        each.wait(20)


def test_an_engine_that_outlives_the_command_is_waited_for(pod: Callable[..., subprocess.Popen[str]], lab: Lab) -> None:
    """It is a child of the pod's first process then, and still gets the signal."""
    # Before that the shell's child may not be the program yet.
    process = pod("prefect.engine", "until [ -e up ]; do sleep 0.02; done; exit 7")
    deadline = time.monotonic() + 60
    while calls_below(process.pid) != ["says.py ."]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.terminate()

    assert finish(process).exit_code == 7
    assert (lab.path / "engine").read_text() == "SIGTERM"


def test_an_orphan_that_ends_is_no_zombie(lab: Lab) -> None:
    """While the command goes on, nothing else is left below the pod's first process."""
    with lab.start("flow-pod", "--", "sh", "-c", "(sleep 0.1 & true); touch up; exec sleep 300") as process:
        until(lab.path / "up")
        deadline = time.monotonic() + 60
        while len(psutil.Process(process.pid).children()) != 1:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.terminate()
        assert finish(process).exit_code == 128 + 15


def test_a_command_that_cannot_be_started_is_refused(lab: Lab) -> None:
    """In words, with the exit code of a wrong call."""
    result = lab.call("flow-pod", "--", "no-such-command", "--option")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "flow-pod: cannot start 'no-such-command': No such file or directory" in result.stderr
