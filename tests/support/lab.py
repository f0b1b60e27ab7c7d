"""The command line as a subprocess, benchmarks to feed it, and a count of processes from outside."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

PROGRAMS = Path(__file__).parents[1] / "programs"
RUN_SECONDS = 240.0
"""How long a run may take on a machine with ten times as much to do as it can."""
EVENT_SECONDS = 120.0
"""How long it may take until something happens in it."""
SOON = 40.0
"""Seconds that what waits for nothing takes at most, on a busy machine too; what it would wait for takes longer."""
AS_ANY_USER = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner") if os.geteuid() == 0 else ()
"""Runs a command without root's powers over files, by which no mode keeps it out."""


@dataclass
class Lab:
    """A folder in which benchmarks are written and run by the real command line.

    Attributes:
        path: The folder.
        env: The environment of what is started.
        patience: Seconds that a command may take.
        prefix: What runs the interpreter, if something does.
    """

    path: Path
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    patience: float = RUN_SECONDS
    prefix: tuple[str, ...] = ()

    def write(self, text: str, name: str = "benchmark.toml") -> Path:
        """Write a benchmark file and return where it is."""
        file = self.path / name
        file.write_text(text, encoding="utf-8")
        return file

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start ``windtunnel`` with these arguments."""
        return self.start_python("-m", "windtunnel", *arguments, **options)

    def start_python(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start the interpreter with these arguments."""
        return subprocess.Popen(
            [*self.prefix, sys.executable, *arguments],
            cwd=self.path,
            env=self.env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            **({"stderr": subprocess.PIPE} | options),
        )

    def call(self, *arguments: str) -> Result:
        """Run ``windtunnel`` with these arguments to its end."""
        with self.start(*arguments) as process:
            return finish(process, self.patience)

    def run(self, text: str, *arguments: str) -> Result:
        """Write a benchmark and run it with ``--json``."""
        return self.call("run", str(self.write(text)), "--json", *arguments)

    def wait_for(self, event: str, seconds: float = EVENT_SECONDS) -> None:
        """Wait until a run in the store has told an event."""
        deadline = time.monotonic() + seconds
        while not any(event in path.read_text() for path in self.path.glob("runs/*/events.jsonl")):
            assert time.monotonic() < deadline, f"no {event} in time"
            time.sleep(0.01)

    def wait_for_log(
        self, step: str, text: str, seconds: float = EVENT_SECONDS, process: subprocess.Popen[str] | None = None
    ) -> str:
        """Wait until a step has written something, while a driver lives, and return all that it wrote."""
        deadline = time.monotonic() + seconds
        while not (found := next((each for each in self._logs(step) if text in each), None)):
            assert process is None or process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, f"no {text!r} in time"
            time.sleep(0.01)
        return found

    def _logs(self, step: str) -> list[str]:
        return [path.read_text() for path in self.path.glob(f"runs/*/logs/{step}*.log")]

    def only_run(self) -> Path:
        """Return the folder of the one run that there is."""
        (run,) = (self.path / "runs").iterdir()
        return run

    def samples(self) -> list[dict[str, Any]]:
        """Return the samples that the one run has on disk."""
        path = self.only_run() / "samples.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def is_valid(record: dict[str, Any]) -> bool:
    """Tell whether a run is valid but for what others do who use the machine too: steps starve, and numbers differ."""
    theirs = ("was starved of CPU", "the mean is known to")
    reasons = [each for each in record["reasons"] if not any(words in each for words in theirs)]
    return record["validity"] in {"valid", "suspect"} and not reasons


@dataclass(frozen=True)
class Result:
    """What a finished command came to."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def record(self) -> dict[str, Any]:
        """The JSON object on standard output."""
        return dict(json.loads(self.stdout))

    @property
    def is_valid(self) -> bool:
        """Whether it is valid, but for what others do who use the machine too."""
        return is_valid(self.record)

    @property
    def cause(self) -> str:
        """The code of the record's cause."""
        return str(self.record["cause"]["code"])


def finish(process: subprocess.Popen[str], timeout: float = RUN_SECONDS) -> Result:
    """Wait for a command and return what it came to."""
    try:
        stdout, stderr = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Result(process.returncode, stdout, stderr)


def single_node(command: list[str], tables: str = "", keys: str = "") -> str:
    """Return a benchmark of one command."""
    return f"""
spec_version = "1"
[benchmark]
name = "alone"
strategy = "single-node"
{keys}
[client]
command = {json.dumps(command)}
{tables}
"""


def client_server(
    *,
    server: str = "",
    client: str = "",
    tables: str = "",
    keys: str = "",
    ready: str = '{ http = "/ready", within = "10s" }',
) -> str:
    """Return a benchmark of the two test programs; `server` and `client` are more arguments of theirs."""
    server_command = [sys.executable, str(PROGRAMS / "server.py"), "--port", "$PORT", *server.split()]
    client_command = [sys.executable, str(PROGRAMS / "client.py"), "$SERVER_HOST", "$SERVER_PORT", *client.split()]
    return f"""
spec_version = "1"
[benchmark]
name = "faulty"
strategy = "client-server"
{keys}
[server]
command = {json.dumps(server_command)}
port = 0
ready = {ready}
grace = "1s"
[client]
command = {json.dumps(client_command)}
{tables}
"""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def living() -> dict[int, str]:
    """Return every living process below this one, by id, with its command."""
    found = {}
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            # A process whose main thread has ended is shown as a zombie, though its other threads go on.
            if process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1:
                found[process.pid] = _command(process)
    return found


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.ZombieProcess:
        return process.name()
