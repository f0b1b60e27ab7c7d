"""What goes wrong around a deployed run: cancelled, its worker gone, its server restarted, many at once."""

from __future__ import annotations

import contextlib
import itertools
import signal
import time
from datetime import datetime

import psutil
import pytest

from support.lab import client_server, living, single_node
from support.prefect_lab import PrefectLab

pytestmark = pytest.mark.timeout(600)

FINAL_SECONDS = 120
"""Within so many seconds of a fault, a run has to be in a final state."""

PHASES = {
    "before it is ready": (
        "service_started",
        client_server(server="--bind-after 60", ready='{ tcp = true, within = "90s" }'),
        False,
    ),
    "while it measures": ("iteration_started", client_server(client="--hang-in 1"), True),
    "in a later iteration": (
        "iteration_finished",
        client_server(client="--hang-in 2", tables="[run]\nrepeats = 3"),
        True,
    ),
    "while it stops": ("service_stopping", client_server(server="--ignore-term"), True),
}


@pytest.mark.parametrize("phase", PHASES)
def test_a_cancel_in_any_phase_ends_in_order(worker: PrefectLab, known: set[int], phase: str) -> None:
    """The state is Cancelled within two minutes, what was measured is kept, and nothing is left."""
    event, toml, has_samples = PHASES[phase]
    run = worker.start("client-server/windtunnel", benchmark={"toml": toml})
    worker.until_event(run, event)
    worker.cancel(run)
    state = worker.final(run, FINAL_SECONDS)["state"]
    worker.nothing_new(known)
    record = worker.record(run)

    assert state["type"] == "CANCELLED"
    assert record["resources"]["left"] == []
    assert record["status"] in {"cancelled", "succeeded"}
    assert bool((worker.store / record["run_id"] / "samples.jsonl").exists()) == has_samples


def test_a_cancel_before_a_worker_takes_it_starts_nothing(server: PrefectLab) -> None:
    """A run that waits in a queue without a worker is over at once, is never taken, and has no folder."""
    assert server.call("prefect", "work-pool", "create", "idle", "--type", "process").returncode == 0
    run = server.start(deploy(server, "idle", slow("idle", 1), "--pool", "idle"))
    server.cancel(run)
    assert server.flow_run(run)["state_type"] in {"CANCELLED", "CANCELLING"}
    server.start_worker("late", "idle")

    assert server.final(run)["state_type"] == "CANCELLED"
    server.end("late", signal.SIGINT)
    assert not list(server.store.glob("idle-*"))


def slow(name: str, seconds: int, timeout: str = "10m", repeats: int = 1) -> str:
    """Return a benchmark whose iterations take so long and print a rate first."""
    tables = f"[run]\nrepeats = {repeats}\n[[metrics]]\nname = 'rate'\npattern = 'rate=([0-9]+)'"
    text = single_node(["sh", "-c", f"echo rate=$$ITERATION; sleep {seconds}"], tables, f'timeout = "{timeout}"')
    return text.replace('"alone"', f'"{name}"')


def deploy(server: PrefectLab, name: str, text: str, *options: str) -> str:
    """Deploy a benchmark under a name and return the deployment's."""
    (server.path / f"{name}.toml").write_text(text)
    result = server.windtunnel("deploy", f"{name}.toml", *options)
    assert result.returncode == 0, result.stderr
    return f"single-node/{name}"


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


def descendants(pid: int) -> list[int]:
    """Return all processes below one."""
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def kill(pid: int) -> None:
    """Kill a process, if it still is there."""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_goes_on_while_its_server_is_restarted(
    worker: PrefectLab, known: set[int], number: signal.Signals
) -> None:
    """Every iteration is measured, the state is Completed, and the result is the whole one."""
    run = worker.start("single-node/windtunnel", benchmark={"toml": slow("patient", 2, repeats=10)})
    worker.until_event(run, "iteration_finished")
    worker.end("server", number)
    time.sleep(5)
    worker.start_server()
    flow_run = worker.final(run, FINAL_SECONDS)
    worker.nothing_new({*known, worker.processes["server"].pid, *descendants(worker.processes["server"].pid)})

    assert flow_run["state"]["name"] == "Completed"
    assert worker.record(run)["metrics"]["rate"]["values"] == list(range(1, 11))


def test_an_outcome_waits_for_a_server_that_is_away_when_the_run_ends(worker: PrefectLab) -> None:
    """The report is on disk at once; state, result and plots come when the server does."""
    run = worker.start("single-node/windtunnel", benchmark={"toml": slow("homeless", 2, repeats=3)})
    worker.until_event(run, "iteration_started")
    folder = worker.store / worker.flow_run(run)["name"]
    worker.end("server", signal.SIGKILL)
    worker.until((folder / "report.html").exists, 60, "report")
    time.sleep(15)
    worker.start_server()
    flow_run = worker.final(run, FINAL_SECONDS)

    assert flow_run["state"]["name"] == "Completed"
    worker.until(lambda: "homeless-result" in keys(worker, run), 10, "result")
    assert {"homeless-report", "homeless-values"} <= keys(worker, run)


def keys(server: PrefectLab, run: str) -> set[str]:
    """Return the keys of a flow run's artifacts."""
    return {artifact["key"] for artifact in server.about("artifacts", run)}


def test_a_run_that_was_taken_for_dead_lives_on_and_can_be_cancelled(worker: PrefectLab, known: set[int]) -> None:
    """Longer away than the silence that counts as death: the state is set right, and a cancel is heeded again."""
    run = worker.start("single-node/windtunnel", benchmark={"toml": slow("undead", 600)})
    worker.until_event(run, "iteration_started")
    worker.end("server", signal.SIGKILL)
    time.sleep(100)
    worker.start_server()
    time.sleep(30)
    assert worker.flow_run(run)["state_type"] == "RUNNING"
    worker.cancel(run)
    flow_run = worker.final(run, 60)
    server = worker.processes["server"].pid
    worker.nothing_new({*known, server, *descendants(server)}, 20)

    assert flow_run["state"]["name"] == "Cancelled"
    assert worker.record(run)["status"] == "cancelled"


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
