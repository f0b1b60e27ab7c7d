"""A flow run in a pod of its own, without the pod: as its first process sees Prefect's own processes."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from support.deployed import FINAL_SECONDS, deploy, slow
from support.lab import living
from support.prefect_lab import BIN, PrefectLab
from windtunnel.engines.prefect.flow_pod import find_engine

pytestmark = pytest.mark.timeout(600)
START_SECONDS = 240.0
"""How long Prefect may take to start the flow on a busy machine."""


@contextmanager
def pod(server: PrefectLab, run: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start what a pod of a flow run starts, in an empty folder, and end it."""
    folder = server.path / run
    folder.mkdir()
    env = server.env | {"PREFECT__FLOW_RUN_ID": run, "PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR": "crash"}
    with (server.path / f"{run}.log").open("wb") as log:
        process = subprocess.Popen(
            [BIN / "windtunnel", "flow-pod", "--", "prefect", "flow-run", "execute"],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        for each in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
            each.kill()
        process.kill()
        process.wait()


def cancel(server: PrefectLab, run: str, _process: subprocess.Popen[bytes]) -> None:
    """Cancel a flow run by the server's API."""
    server.cancel(run)


def evict(_server: PrefectLab, _run: str, process: subprocess.Popen[bytes]) -> None:
    """Do what a kubelet does first when a pod has to go."""
    process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("name", "end", "state", "status", "cause", "exit_code"),
    [
        ("evicted", evict, "PlatformFailed", "failed", "driver_evicted", 3),
        ("cancelled", cancel, "Cancelled", "cancelled", "cancelled", 130),
    ],
)
def test_a_pod_that_is_told_to_end_ends_its_run_in_order(  # noqa: PLR0917 - an outcome has many parts
    server: PrefectLab,
    name: str,
    end: Callable[[PrefectLab, str, subprocess.Popen[bytes]], None],
    state: str,
    status: str,
    cause: str,
    exit_code: int,
) -> None:
    """An eviction is the platform's failure, a cancel is none; it ran once, and its samples are kept."""
    server.call("prefect", "work-pool", "create", "pods", "--type", "process")
    # No worker takes it from there.
    run = server.start(deploy(server, name, slow(name, 300), "--pool", "pods"))
    before = set(living())
    with pod(server, run) as process:
        server.until_event(run, "iteration_started", START_SECONDS)
        log = server.store / server.flow_run(run)["name"] / "logs" / "client.1.log"
        server.until(lambda: log.exists() and log.read_text(), START_SECONDS, "sample")
        engine = find_engine(psutil.Process(process.pid))
        end(server, run, process)
        process.wait(FINAL_SECONDS)
    flow_run, record = server.final(run, 5), server.record(run)
    server.nothing_new(before)

    assert engine
    assert engine.pid == record["driver"]["pid"]
    assert (flow_run["state"]["name"], flow_run["run_count"]) == (state, 1)
    assert (record["status"], record["cause"]["code"], record["exit_code"]) == (status, cause, exit_code)
    assert record["resources"]["left"] == []
    assert record["metrics"]["rate"]["values"] == [1]
    assert len(list(server.store.glob(f"{name}-*"))) == 1
