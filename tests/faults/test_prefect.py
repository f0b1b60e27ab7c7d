"""The Prefect engine is interrupted: the walk ends in order, and no process stays."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import prefect_home
from support.lab import Lab, client_server, finish, living, single_node
from support.needs import package
from support.prefect_lab import PrefectLab

package("prefect")
NothingLeft = Callable[[], None]
# Prefect's temporary server takes its time to start on a busy machine.
START_SECONDS = 180
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def prefect_lab(lab: Lab, tmp_path: Path) -> Lab:
    """A folder whose Prefect has a database of its own and starts a temporary server."""
    lab.env |= prefect_home.own_server(tmp_path / "prefect")
    return lab


@pytest.mark.parametrize("name", ["SIGINT", pytest.param("SIGTERM", marks=pytest.mark.full)])
def test_a_signal_cancels_the_flow_and_cleans_up(prefect_lab: Lab, nothing_left: NothingLeft, name: str) -> None:
    """Exit 130, the flow run's state is Cancelled with the reason, and the temporary server is gone too."""
    file = prefect_lab.write(client_server(client="--hang-in 1"))
    with prefect_lab.start("run", str(file), "--engine", "prefect", "--json") as process:
        prefect_lab.wait_for_log("client", "client: hanging", START_SECONDS, process)
        process.send_signal(signal.Signals[name])
        result = finish(process)
    nothing_left()

    assert result.exit_code == 130
    assert result.record["status"] == "cancelled"
    assert f"Cancelled('suspect: cancelled by {name}'" in result.stderr
    assert len(prefect_lab.samples()) == 5


@pytest.mark.full
def test_sigkill_of_the_flows_process_leaves_nothing_of_the_run(prefect_lab: Lab) -> None:
    """Server, client and warden are gone within 5 s; Prefect's temporary server is Prefect's to end."""
    file = prefect_lab.write(client_server(client="--hang-in 1"))
    before = set(living())
    with prefect_lab.start("run", str(file), "--engine", "prefect") as process:
        prefect_lab.wait_for("iteration_started", seconds=START_SECONDS)
        process.kill()
        process.wait()
        deadline = time.monotonic() + 5
        ours = ("server.py", "client.py", "agent.supervisor")
        while left := [name for name in living().values() if any(word in name for word in ours)]:
            assert time.monotonic() < deadline, f"still alive: {left}"
            time.sleep(0.05)
        for pid in set(living()) - before:
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrefectLab]:
    """A server of the test's own, which it may end."""
    (tmp_path / "server").mkdir()
    found = PrefectLab(tmp_path / "server")
    try:
        found.start_server()
        yield found
    finally:
        found.end_all()


@pytest.mark.full
def test_a_run_whose_server_is_gone_ends_when_it_is_asked_to(lab: Lab, server: PrefectLab) -> None:
    """It was measured whole, and that is its outcome: nobody has to wait until the server is given up."""
    lab.env |= {name: value for name, value in server.env.items() if name.startswith("PREFECT")}
    tables = "[run]\nrepeats = 2\n[[metrics]]\nname = 'rate'\npattern = 'rate=([0-9]+)'"
    file = lab.write(single_node(["sh", "-c", "sleep 2; echo rate=5"], tables))
    with lab.start("run", str(file), "--engine", "prefect", "--json") as process:
        lab.wait_for("iteration_started", seconds=START_SECONDS)
        server.end("server", signal.SIGKILL)
        lab.wait_for("run_finished", seconds=START_SECONDS)
        process.send_signal(signal.SIGINT)
        result = finish(process, 60)

    assert result.exit_code == 0
    assert result.record["metrics"]["rate"]["n"] == 2
