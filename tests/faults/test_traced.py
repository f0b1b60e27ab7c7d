"""Traced steps: everything that they ask of the kernel is recorded, and they behave as they do untraced."""

from __future__ import annotations

import gzip
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from support import docker_lab, needs
from support.lab import SOON, Lab, Result, client_server, single_node

RATE = '[[metrics]]\nname = "rate"\npattern = "rate=(\\\\S+)"'
TRACED = "trace = true"
EXITS = "import subprocess, sys; print('rate=1', flush=True)\nsubprocess.run(['sh', '-c', 'exit 4']); sys.exit(7)"


@pytest.fixture(autouse=True)
def _strace(nothing_left: None) -> None:
    """Every test needs it, and leaves nothing."""
    del nothing_left
    needs.program("strace", "strace")


@pytest.fixture(params=["process", "docker"])
def backend(request: pytest.FixtureRequest) -> str:
    """Every backend that can trace."""
    if request.param == "docker":
        request.getfixturevalue("docker_empty")
    return str(request.param)


def python(backend: str) -> str:
    """Return the interpreter on a backend."""
    return sys.executable if backend == "process" else "python3"


def run(lab: Lab, backend: str, command: list[str], keys: str = "", *, target: str = "plain") -> Result:
    """Run a traced command alone; `keys` are more of its table."""
    keys = f"{TRACED}\n{keys}"
    if backend == "docker":
        text = docker_lab.single_node(command, RATE, client=keys, target=target)
    else:
        text = single_node(command, f"{keys}\n{RATE}")
    return lab.run(text, "--backend", backend)


def record(lab: Lab, label: str) -> tuple[list[str], dict[str, Any]]:
    """Return the lines and the summary that a start left."""
    folder = lab.only_run() / "artifacts" / label
    with gzip.open(folder / "strace.txt.gz", "rt") as lines:
        return list(lines), json.loads((folder / "strace.json").read_text())


def test_a_traced_client_is_recorded_from_its_first_call_on(lab: Lab, backend: str) -> None:
    """With its children; status and output are its own, and the result is suspect."""
    result = run(lab, backend, [python(backend), "-c", EXITS])
    lines, summary = record(lab, "client.1")

    assert result.exit_code == 1
    assert "client exited with status 7 in iteration 1" in result.record["cause"]["message"]
    assert result.record["validity"] == "suspect"
    assert "client was traced: recording its system calls makes each of them slower" in result.record["reasons"]
    assert re.match(r"\d+ +\d+\.\d+ execve\(\"[^\"]*python3?[^\"]*\", \[[^]]*\"-c\"", lines[0])
    assert sum("execve(" in line for line in lines) >= 2
    calls = {call["name"]: call["calls"] for call in summary["system_calls"]}
    assert summary["step"] == "client"
    assert sum(calls.values()) == summary["calls"]
    assert calls["exit_group"] == 2
    assert (lab.only_run() / "logs" / "client.1.log").read_text() == "rate=1\n"


def test_a_traced_client_that_is_killed_is_told_by_the_signals_name(lab: Lab, backend: str) -> None:
    """The signal is the command's, not the tracer's."""
    result = run(lab, backend, [python(backend), "-c", "import os; os.kill(os.getpid(), 9)"])

    assert result.exit_code == 1
    assert "client was killed by SIGKILL" in result.record["cause"]["message"]


@pytest.mark.parametrize(("command", "cause"), [("no-such", "command_not_found"), ("./script", "command_not_runnable")])
def test_a_traced_command_that_cannot_be_started_is_told_as_ever(
    lab: Lab, backend: str, command: str, cause: str
) -> None:
    """In Windtunnel's words, not in the tracer's."""
    result = run(lab, backend, [command], 'files = { "script" = "#!/bin/sh" }')

    assert result.exit_code == 3
    assert result.cause == cause
    assert "strace" not in result.record["cause"]["message"]


def test_a_traced_server_lives_and_ends_as_it_does_untraced(lab: Lab, backend: str) -> None:
    """It is ready, watched, told to stop by SIGTERM, and its whole life is recorded; the client is untraced."""
    keys = f'{TRACED}\nlive = {{ tcp = true, every = "200ms", timeout = "20s" }}'
    if backend == "docker":
        text = docker_lab.client_server(server_keys=keys)
    else:
        text = client_server().replace("[client]", f"{keys}\n[client]")
    # A tracer that stands still for a while is not killed before it has written all.
    result = lab.run(text.replace('grace = "1s"', 'grace = "100s"'), "--backend", backend)
    lines, summary = record(lab, "server")

    assert result.exit_code == 0, result.stderr
    (stop,) = [phase["seconds"] for phase in result.record["phases"] if phase["phase"] == "stop"]
    assert stop < SOON
    assert not (lab.only_run() / "artifacts" / "client.1").exists()
    assert sum("--- SIGTERM {" in line for line in lines) == 1
    if backend == "process":  # a container ends with its command, be it before its tracer has written this
        assert [line.split(maxsplit=2)[2] for line in lines if "+++" in line][-1:] == ["+++ killed by SIGTERM +++\n"]
    assert {"execve", "listen"} < {call["name"] for call in summary["system_calls"]}


def test_what_a_traced_client_leaves_running_is_ended(lab: Lab, backend: str) -> None:
    """The tracer, which waits for it too, does not keep it alive."""
    script = "sleep 1000 & echo rate=1"
    result = run(lab, backend, ["sh", "-c", script])

    assert result.exit_code == 0
    if backend == "process":
        assert "client: left processes behind; they are ended" in result.stderr


def test_a_tracer_is_not_taken_for_a_process_that_is_left(lab: Lab) -> None:
    """It ends a moment after its command, and that is nothing to tell."""
    result = run(lab, "process", ["sh", "-c", "echo rate=1"])

    assert result.exit_code == 0
    assert "left processes behind" not in result.stderr


def test_a_traced_server_that_fails_is_dead_whatever_it_leaves(lab: Lab) -> None:
    """Its worker answers on, and the client that it outlives succeeds: no number of it is called valid."""
    number, end = lab.path / "number", lab.path / "end"
    server = f"sleep 1000 & echo $$ > {number}; echo up; until [ -e {end} ]; do sleep 0.05; done; exit 3"
    client = f"touch {end}; while kill -0 $(cat {number}); do sleep 0.05; done; sleep 0.3; echo rate=1"
    steps = {"server": ["sh", "-c", server.replace("$", "$$")], "client": ["sh", "-c", client.replace("$", "$$")]}
    text = f"""
spec_version = "1"
[benchmark]
name = "faulty"
strategy = "client-server"
[server]
command = {json.dumps(steps["server"])}
ready = {{ log = "up", within = "30s" }}
{TRACED}
[client]
command = {json.dumps(steps["client"])}
{RATE}
"""
    result = lab.run(text, "--backend", "process")

    assert result.exit_code == 5, result.stderr
    assert result.cause == "server_died"
    assert "server exited with status 3 while it was needed" in result.record["cause"]["message"]
    assert record(lab, "server")[0]


def test_a_traced_image_may_have_a_user_and_be_sealed(lab: Lab, docker_empty: None) -> None:
    """The tracer needs no privileges, and nothing of the image."""
    del docker_empty
    result = run(lab, "docker", ["sh", "-c", "id -u; echo rate=1"], 'isolation = "sealed"', target="user")
    lines, summary = record(lab, "client.1")

    assert result.exit_code == 0, result.stderr
    assert (lab.only_run() / "logs" / "client.1.log").read_text() == "1234\nrate=1\n"
    assert len(lines) >= summary["calls"] > 20


def test_without_strace_a_traced_run_does_not_start(lab: Lab, backend: str) -> None:
    """Exit 3 with the package's name."""
    program = Path(lab.path / "bin")
    program.mkdir()
    lab.env = lab.env | {"PATH": str(program)}
    result = run(lab, backend, ["true"])

    assert result.exit_code == 3
    assert result.cause == "strace_missing"
    assert "client: trace = true needs strace" in result.record["cause"]["message"]
    assert result.record["resources"]["created"] == 0


def test_a_backend_that_cannot_trace_refuses(lab: Lab) -> None:
    """Exit 2, and what to use instead."""
    result = run(lab, "recording", ["true"])

    assert result.exit_code == 2
    assert (
        "client: trace = true: the recording backend cannot record system calls; use --backend process" in result.stderr
    )
