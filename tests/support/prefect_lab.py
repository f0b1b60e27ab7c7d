"""A Prefect server and workers of their own, as a user starts them, for tests to run benchmarks on."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from support import prefect_home
from support.lab import free_port, living

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
FINAL = {"COMPLETED", "FAILED", "CANCELLED", "CRASHED"}
START_SECONDS = 300


@dataclass
class PrefectLab:
    """A server with a database of its own, and workers.

    Attributes:
        path: Where logs, database and runs are.
        env: The environment of everything that is started.
    """

    path: Path
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.api = httpx.Client(base_url=f"http://127.0.0.1:{self.port}/api", timeout=30)
        # A setting of the user is not the tests'.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT")}
        self.env = inherited | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "PREFECT_HOME": str(self.path / "prefect"),
            "PREFECT_API_URL": str(self.api.base_url).rstrip("/"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "DO_NOT_TRACK": "1",
        }
        self.store = self.path / "store"

    def start_server(self) -> None:
        """Start the server and wait until it answers."""
        home = Path(self.env["PREFECT_HOME"])
        if not home.exists():
            prefect_home.fill(home)
        self._start("server", "prefect", "server", "start", "--port", str(self.port))
        self.until(self._answers, START_SECONDS, "the server's answer")

    def prepare(self) -> None:
        """Start the server, and do what the README says: install, and deploy all of prefect.yaml."""
        self.start_server()
        installed = self.windtunnel("install", "prefect")
        assert installed.returncode == 0, installed.stderr
        deployed = self.call("prefect", "--no-prompt", "deploy", "--all", cwd=ROOT)
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr

    def _answers(self) -> bool:
        try:
            return self.api.get("/health").is_success
        except httpx.HTTPError:
            return False

    def start_worker(self, name: str, pool: str = "windtunnel", limit: int = 1, kind: str = "process") -> None:
        """Start a worker of a type and wait until the server knows it."""
        options = {"pool": pool, "name": name, "limit": str(limit), "type": kind}
        words = [word for option, value in options.items() for word in (f"--{option}", value)]
        self._start(name, "prefect", "worker", "start", *words)
        self.until(lambda: name in self._workers(pool), START_SECONDS, f"worker {name}")

    def _workers(self, pool: str) -> list[str]:
        return [worker["name"] for worker in self.post(f"/work_pools/{pool}/workers/filter", {})]

    def _start(self, name: str, *command: str) -> None:
        with (self.path / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [shutil.which(command[0], path=self.env["PATH"]) or command[0], *command[1:]],
                cwd=self.path,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def end(self, name: str, number: int = signal.SIGTERM, seconds: float = 60) -> None:
        """Send a signal to what was started under a name, and wait for its end."""
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait(seconds)

    def end_all(self) -> None:
        """Kill everything that was started, and all below it."""
        for process in self.processes.values():
            for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
                child.kill()
            process.kill()
        for process in self.processes.values():
            process.wait()
        self.api.close()

    def windtunnel(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run our command line against the server."""
        return self.call("windtunnel", *arguments)

    def call(
        self, program: str, *arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment to its end."""
        return subprocess.run(
            [str(BIN / program), *arguments],
            cwd=cwd or self.path,
            env=env or self.env,
            text=True,
            capture_output=True,
            check=False,
            # Prefect's own client asks a busy server six times, a minute each.
            timeout=400,
            stdin=subprocess.DEVNULL,
        )

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Return the server's answer to a POST."""
        return self.ask("POST", path, body).raise_for_status().json()

    def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Ask as Prefect's own clients do: again while the server's database is busy, or it is not reached."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = self.api.request(method, path, json=body)
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    return answer
            assert time.monotonic() < deadline, f"no answer to {method} {path}\n{self._ends_of_logs()}"
            time.sleep(0.5)

    def deployment(self, name: str) -> dict[str, Any]:
        """Return the deployment ``FLOW/NAME``."""
        flow, _, deployment = name.partition("/")
        return dict(self.ask("GET", f"/deployments/name/{flow}/{deployment}").raise_for_status().json())

    def submit(self, deployment: str, **parameters: Any) -> httpx.Response:
        """Ask for a run of a deployment as the UI does; its runs are kept in the lab's store."""
        body = {"parameters": {"store": str(self.store), **parameters}, "state": {"type": "SCHEDULED"}}
        return self.ask("POST", f"/deployments/{self.deployment(deployment)['id']}/create_flow_run", body)

    def start(self, deployment: str, **parameters: Any) -> str:
        """Start a run of a deployment and return its flow run's id."""
        return str(self.submit(deployment, **parameters).raise_for_status().json()["id"])

    def flow_run(self, run: str) -> dict[str, Any]:
        """Return a flow run."""
        return dict(self.ask("GET", f"/flow_runs/{run}").raise_for_status().json())

    def final(self, run: str, seconds: float = 120) -> dict[str, Any]:
        """Wait for a flow run's end and return it."""
        self.until(lambda: self.flow_run(run)["state_type"] in FINAL, seconds, f"the end of {run}")
        return self.flow_run(run)

    def cancel(self, run: str) -> None:
        """Cancel a flow run as the UI does."""
        state = {"type": "CANCELLING", "name": "Cancelling"}
        self.post(f"/flow_runs/{run}/set_state", {"state": state, "force": False})

    def about(self, kind: str, run: str) -> list[dict[str, Any]]:
        """Return the task runs, logs or artifacts of a flow run."""
        if kind == "task_runs":
            return list(
                self.post(
                    "/task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}, "sort": "EXPECTED_START_TIME_ASC"}
                )
            )
        key = "flow_run_id"
        return list(self.post(f"/{kind}/filter", {kind: {key: {"any_": [run]}}, "limit": 200}))

    def log(self, run: str) -> list[str]:
        """Return the messages in a flow run's log."""
        return [line["message"] for line in self.about("logs", run)]

    def events_of(self, flow_run: str) -> list[dict[str, Any]]:
        """Return the events of a flow run's benchmark, of which its name is the run's id."""
        path = self.store / self.flow_run(flow_run)["name"] / "events.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def until_event(self, run: str, kind: str, seconds: float = 60) -> None:
        """Wait until a run has told an event."""
        self.until(lambda: any(event["type"] == kind for event in self.events_of(run)), seconds, f"{kind} of {run}")

    def record(self, run: str) -> dict[str, Any]:
        """Return the record that a flow run's benchmark has in the store."""
        return dict(json.loads((self.store / self.flow_run(run)["name"] / "run.json").read_text()))

    def record_of(self, run: str) -> dict[str, Any]:
        """Wait for a flow run's end and return its benchmark's record."""
        self.final(run)
        return self.record(run)

    def until(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        """Wait until something is so; fail with the end of all logs if it is not in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"no {what} within {seconds} s\n{self._ends_of_logs()}"
            time.sleep(0.2)

    def _ends_of_logs(self) -> str:
        logs = sorted(self.path.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)

    def nothing_new(self, before: Iterable[int], seconds: float = 20) -> None:
        """Count from outside: every process that was not there before has to be gone soon.

        Prefect itself runs a process after a flow's end, for hooks that ours does not have: it takes seconds.
        """
        known = set(before)
        deadline = time.monotonic() + seconds
        while left := {pid: name for pid, name in living().items() if pid not in known}:
            assert time.monotonic() < deadline, f"still alive: {left}"
            time.sleep(0.1)
