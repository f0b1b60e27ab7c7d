"""Workers come and go: stopped, killed, or too few for all that waits."""

from __future__ import annotations

import contextlib
import itertools
import signal
import time
from datetime import datetime

import psutil
import pytest

from support.deployed import FINAL_SECONDS, deploy, descendants, slow
from support.lab import living
from support.prefect_lab import PrefectLab

pytestmark = pytest.mark.timeout(600)


@pytest.mark.full
def test_a_run_whose_worker_ends_comes_to_a_final_state(server: PrefectLab) -> None:
    """A stopped worker's run is Crashed by its silence, a killed worker's run goes on; the janitor has been there."""
    server.start_worker("janitor", "windtunnel-janitor", limit=5)
    workers = {"stopped": signal.SIGTERM, "killed": signal.SIGKILL, "all-killed": signal.SIGKILL}
    before = set(living())
    runs = {}
    for name in workers:
        assert server.call("prefect", "work-pool", "create", name, "--type", "process").returncode == 0
        server.start_worker(name, name)
        text = slow(name, 600, timeout="30s" if name == "killed" else "10m")
        runs[name] = server.start(deploy(server, name, text, "--pool", name))
    for run in runs.values():
        server.until_event(run, "iteration_started", 90)
    below = descendants(server.processes["all-killed"].pid)
    began = time.monotonic()
    for name, number in workers.items():
        server.end(name, number)
    for pid in below:
        kill(pid)
    states = {
        name: server.final(run, FINAL_SECONDS - (time.monotonic() - began))["state"] for name, run in runs.items()
    }
    # Workers are gone, and so is all that they ran; the janitor's runs come and go.
    server.until(lambda: not set(living()) - before, 60, f"end of {living()}")

    assert states["stopped"]["name"] in {"Crashed", "Cancelled"}
    assert states["killed"]["name"] == "TimedOut"
    assert (states["all-killed"]["name"], states["all-killed"]["message"]) == ("Crashed", "no heartbeat for 90 s")
    assert (
        server.store / server.flow_run(runs["all-killed"])["name"] / "logs" / "client.1.log"
    ).read_text() == "rate=1\n"
    crashed = {f"{server.flow_run(runs[name])['name']}: no heartbeat for 90 s" for name in ("stopped", "all-killed")}

    def janitor_was_there() -> bool:
        found = server.post("/flow_runs/filter", {"flows": {"name": {"any_": ["reap"]}}})
        told = {run["parameters"].get("cause") for run in found if run["state_type"] == "COMPLETED"}
        # A server whose database is busy may lose one of two calls; the janitor's schedule is for that.
        return bool(crashed & told)

    server.until(janitor_was_there, 60, f"janitor's run because of {crashed}")


def kill(pid: int) -> None:
    """Kill a process, if it still is there."""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).kill()


@pytest.mark.full
def test_twenty_queued_runs_respect_the_limits_of_three_workers(server: PrefectLab) -> None:
    """No worker ever has more than two, a queue with a limit of one has one, and all of them finish."""
    assert server.call("prefect", "work-pool", "create", "many", "--type", "process").returncode == 0
    assert server.call("prefect", "work-queue", "create", "target", "--pool", "many", "--limit", "1").returncode == 0
    queued = deploy(server, "queued", slow("queued", 1), "--pool", "many")
    alone = deploy(server, "targeted", slow("targeted", 1), "--pool", "many", "--queue", "target")
    runs = [server.start(queued) for _ in range(16)]
    targeted = [server.start(alone) for _ in range(4)]
    names = ["first", "second", "third"]
    for name in names:
        server.start_worker(name, "many", limit=2)
    most = dict.fromkeys(names, 0)

    def all_final() -> bool:
        for name in names:
            flows = psutil.Process(server.processes[name].pid).children()
            most[name] = max(most[name], len(flows))
        time.sleep(1)
        found = server.post("/flow_runs/filter", {"flow_runs": {"id": {"any_": [*runs, *targeted]}}})
        return all(run["state_type"] == "COMPLETED" for run in found)

    server.until(all_final, 500, "end of 20 runs")
    for name in names:
        server.end(name, signal.SIGINT)

    assert max(most.values()) == 2
    assert min(most.values()) > 0
    times = sorted((at(server, run, "start_time"), at(server, run, "end_time")) for run in targeted)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(times))


def at(server: PrefectLab, run: str, key: str) -> datetime:
    """Return when a flow run started or ended."""
    return datetime.fromisoformat(server.flow_run(run)[key])
