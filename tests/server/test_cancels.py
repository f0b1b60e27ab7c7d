"""A deployed run is cancelled: in any of its phases, and before it has begun."""

from __future__ import annotations

import signal

import pytest

from support.deployed import FINAL_SECONDS, deploy, slow
from support.lab import client_server
from support.prefect_lab import PrefectLab

pytestmark = pytest.mark.timeout(600)

ALWAYS = "while it measures"
"""The phase that is always tried."""
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
    "while it stops": (
        "service_stopping",
        client_server(server="--ignore-term").replace('grace = "1s"', 'grace = "1m"'),
        True,
    ),
}


@pytest.mark.parametrize(
    "phase", [each if each == ALWAYS else pytest.param(each, marks=pytest.mark.full) for each in PHASES]
)
def test_a_cancel_in_any_phase_ends_in_order(worker: PrefectLab, known: set[int], phase: str) -> None:
    """The state is Cancelled within two minutes, what was measured is kept, and nothing is left.

    Prefect kills a flow that takes more than half a minute for it: no grace of a step does.
    """
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
