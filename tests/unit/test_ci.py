"""How ``.ci/run`` starts and ends Docker, with stand-ins for the daemon and its command."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[2] / ".ci" / "docker.sh"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder with a ``docker`` that answers once its ``dockerd`` has started, or since the file ``up`` is there."""
    programs = {
        "docker": f"test -e {tmp_path}/up",
        "dockerd": f"echo starting; test ! -e {tmp_path}/broken || exit 1; touch {tmp_path}/up; exec sleep 1000",
    }
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def bash(machine: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script with the functions of ``.ci/docker.sh``."""
    places = f"docker_pidfile={machine}/docker.pid docker_log={machine}/log"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{places}; . {FUNCTIONS}; {script}"],
        env=os.environ | {"PATH": f"{machine}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.usefixtures("nothing_left")
def test_a_daemon_is_started_where_none_answers_and_ended(machine: Path) -> None:
    """It runs until it is ended, and then no process is left."""
    result = bash(machine, 'docker_up; kill -0 "$dockerd_pid"; docker_down; echo "ended ${dockerd_pid:-none}"')

    assert result.returncode == 0, result.stderr
    assert result.stdout == "ended none\n"


def test_a_daemon_that_answers_is_used_and_left(machine: Path) -> None:
    """What started it ends it."""
    (machine / "up").touch()
    result = bash(machine, 'docker_up; docker_down; echo "started ${dockerd_pid:-none}"')

    assert result.stdout == "started none\n"
    assert not (machine / "log").exists()


def test_a_daemon_that_does_not_start_is_told_with_its_log(machine: Path) -> None:
    """At once, not after the time that it had."""
    (machine / "broken").touch()
    result = bash(machine, "docker_up")

    assert result.returncode == 1
    assert "Docker does not answer; the end of its log:\nstarting\n" in result.stderr


@pytest.mark.parametrize("is_taken", [False, True])
def test_what_a_dead_daemon_left_is_not_in_the_way(machine: Path, is_taken: bool) -> None:  # noqa: FBT001
    """Its number is nobody's by now, or another program's; the next daemon would not start for it."""
    (machine / "docker.pid").write_text(str(os.getpid()) if is_taken else "4194999")
    result = bash(machine, "forget_dead_daemon")

    assert result.returncode == 0, result.stderr
    assert not (machine / "docker.pid").exists()
