"""The driver is interrupted, terminated or killed: nothing stays, nothing is lost; also see `test_boundaries.py`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

import windtunnel
from support.lab import SOON, Lab, client_server, finish, living

NothingLeft = Callable[[], None]


@pytest.mark.parametrize(
    ("event", "name"),
    [
        # Both signals have one handler.
        pytest.param(event, name, marks=() if name == "SIGINT" or event == "iteration_started" else pytest.mark.full)
        for event in ("service_starting", "service_started", "iteration_started", "service_stopping")
        for name in ("SIGINT", "SIGTERM")
    ],
)
def test_a_signal_cancels_the_run_and_cleans_up(lab: Lab, nothing_left: NothingLeft, name: str, event: str) -> None:
    """Exit 130 with the signal's name, whichever phase it meets; during teardown the result stands."""
    text = client_server(
        client="--hang-in 2" if event == "iteration_started" else "",
        server="--bind-after 1 --ignore-term",
        tables="[run]\nrepeats = 2",
    )
    with lab.start("run", str(lab.write(text)), "--json") as process:
        lab.wait_for(event)
        process.send_signal(signal.Signals[name])
        result = finish(process)
    nothing_left()

    if event == "service_stopping":
        assert result.exit_code == 0
    else:
        assert result.exit_code == 130
        assert result.record["status"] == "cancelled"
        assert f"cancelled by {name}" in result.record["cause"]["message"]
    assert result.record["resources"]["left"] == []


def test_ctrl_c_in_a_terminal_reaches_the_driver_alone(lab: Lab, nothing_left: NothingLeft) -> None:
    """The whole foreground group gets SIGINT; the server still has its stop command and its grace."""
    text = client_server(client="--hang-in 1").replace(
        'grace = "1s"', 'stop = ["sh", "-c", "echo stopped by command > $WINDTUNNEL_OUT/stopped"]\ngrace = "1s"'
    )
    with lab.start("run", str(lab.write(text)), "--json", start_new_session=True) as process:
        lab.wait_for("iteration_started")
        os.killpg(process.pid, signal.SIGINT)
        result = finish(process)
    nothing_left()

    assert result.exit_code == 130
    assert (lab.only_run() / "artifacts" / "server" / "stopped").exists()


def test_a_second_ctrl_c_skips_the_grace(lab: Lab, nothing_left: NothingLeft) -> None:
    """Asked twice to stop, a run does not wait for a server's last ten seconds."""
    text = client_server(server="--ignore-term", client="--hang-in 1").replace('"1s"', '"300s"')
    with lab.start("run", str(lab.write(text)), "--json") as process:
        lab.wait_for("iteration_started")
        process.send_signal(signal.SIGINT)
        lab.wait_for("service_stopping")
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        result = finish(process)
    nothing_left()

    assert result.exit_code == 130
    assert time.monotonic() - began < SOON


def test_the_death_of_the_warden_ends_the_run(lab: Lab, nothing_left: NothingLeft) -> None:
    """The driver does its work then: exit 3, and nothing stays."""
    with lab.start("run", str(lab.write(client_server(client="--hang-in 1"))), "--json") as process:
        lab.wait_for("iteration_started")
        warden_of(process.pid).kill()
        result = finish(process)
    nothing_left()

    assert result.exit_code == 3
    assert result.cause == "warden_lost"


@pytest.mark.alone
def test_reap_ends_what_lost_driver_and_warden(lab: Lab, nothing_left: NothingLeft) -> None:
    """Both are killed at once; `reap --dry-run` names what is left, `reap` ends it."""
    with lab.start("run", str(lab.write(client_server(client="--hang-in 1")))) as process:
        lab.wait_for("iteration_started")
        warden = warden_of(process.pid)
        warden.suspend()
        process.kill()
        finish(process)
        warden.kill()
    time.sleep(0.2)
    assert any("server.py" in command for command in living().values())

    would = json.loads(lab.call("reap", "--dry-run", "--json").stdout)
    did = lab.call("reap", "--json")
    nothing_left()

    assert len([name for name in would["found"] if "process" in name]) >= 2
    assert did.exit_code == 0
    assert json.loads(did.stdout)["left"] == []
    assert not (lab.only_run() / "work").exists()
    assert json.loads(lab.call("reap", "--json").stdout)["found"] == []


def test_reap_leaves_a_living_run_alone(lab: Lab, nothing_left: NothingLeft) -> None:
    """What still has its warden is nobody's orphan."""
    with lab.start("run", str(lab.write(client_server(client="--hang-in 1"))), "--json") as process:
        lab.wait_for("iteration_started")
        assert orphans(lab) == []
        process.send_signal(signal.SIGTERM)
        assert finish(process).exit_code == 130
    nothing_left()


def test_two_runs_at_once_do_not_see_each_other(lab: Lab, nothing_left: NothingLeft, tmp_path: Path) -> None:
    """Killing one driver leaves the other's run whole."""
    other = Lab(tmp_path / "other")
    other.path.mkdir()
    with (
        lab.start("run", str(lab.write(client_server(client="--hang-in 1")))) as killed,
        other.start(
            "run", str(other.write(client_server(server="--latency 0.02", client="--requests 100"))), "--json"
        ) as kept,
    ):
        lab.wait_for("iteration_started")
        other.wait_for("iteration_started")
        killed.kill()
        finish(killed)
        result = finish(kept)
    nothing_left()

    assert result.exit_code == 0
    assert len(other.samples()) == 100


def test_keep_holds_teardown_until_it_is_cancelled(lab: Lab, nothing_left: NothingLeft) -> None:
    """With `--keep` the server still runs after the benchmark, and the numbers are on disk already."""
    with lab.start("run", str(lab.write(client_server())), "--keep", "--json") as process:
        lab.wait_for("measured")
        record = json.loads((lab.only_run() / "run.json").read_text())
        assert record["metrics"]["latency"]["n"] == 1
        assert record["status"] == "running"
        assert any("server.py" in command for command in living().values())
        process.send_signal(signal.SIGINT)
        result = finish(process)
    nothing_left()

    assert result.exit_code == 0


def orphans(lab: Lab) -> list[str]:
    """Return what `reap` would end of what this test started; others that run beside it have orphans of their own."""
    own = {f"(process {pid})" for pid in living()}
    found = json.loads(lab.call("reap", "--dry-run", "--json").stdout)["found"]
    return [name for name in found if any(each in name for each in own)]


def warden_of(driver: int) -> psutil.Process:
    """Return the warden of a driver."""
    (warden,) = [child for child in psutil.Process(driver).children() if "agent.supervisor" in child.cmdline()]
    return warden


def test_reap_leaves_another_installations_run_alone(lab: Lab, nothing_left: NothingLeft, tmp_path: Path) -> None:
    """A run that a second copy of the package drives is known by its warden too."""
    shutil.copytree(Path(windtunnel.__file__).parent, tmp_path / "copy" / "windtunnel")
    file = lab.write(client_server(client="--hang-in 1"))
    own = lab.env
    lab.env = own | {"PYTHONPATH": str(tmp_path / "copy")}
    with lab.start("run", str(file), "--json") as process:
        lab.wait_for("iteration_started")
        assert any("copy/windtunnel/backends/agent/__main__.py" in name for name in living().values())
        lab.env = own
        assert orphans(lab) == []
        process.send_signal(signal.SIGTERM)
        assert finish(process).exit_code == 130
    nothing_left()
