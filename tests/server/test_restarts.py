"""The server is away while a run goes on: for a moment, at its end, or for so long that the run is taken for dead."""

from __future__ import annotations

import signal
import time

import pytest

from support.deployed import FINAL_SECONDS, descendants, slow
from support.prefect_lab import PrefectLab

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("number", [pytest.param(signal.SIGTERM, marks=pytest.mark.full), signal.SIGKILL])
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


@pytest.mark.full
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
    wanted = {"homeless-result", "homeless-report", "homeless-values"}
    worker.until(lambda: wanted <= keys(worker, run), 60, f"all of {wanted}")


def keys(server: PrefectLab, run: str) -> set[str]:
    """Return the keys of a flow run's artifacts."""
    return {artifact["key"] for artifact in server.about("artifacts", run)}


@pytest.mark.full
def test_a_run_that_was_taken_for_dead_lives_on_and_can_be_cancelled(worker: PrefectLab, known: set[int]) -> None:
    """Longer away than the silence that counts as death: the state is set right, and a cancel is heeded again."""
    run = worker.start("single-node/windtunnel", benchmark={"toml": slow("undead", 600)})
    worker.until_event(run, "iteration_started")
    worker.end("server", signal.SIGKILL)
    time.sleep(100)
    worker.start_server()
    time.sleep(30)
    worker.until(lambda: worker.flow_run(run)["state_type"] == "RUNNING", FINAL_SECONDS, "state set right")
    worker.cancel(run)
    flow_run = worker.final(run, 60)
    server = worker.processes["server"].pid
    worker.nothing_new({*known, server, *descendants(server)}, 20)

    assert flow_run["state"]["name"] == "Cancelled"
    assert worker.record(run)["status"] == "cancelled"
