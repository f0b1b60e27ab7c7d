"""Processes that cannot be ended, and a warden that does not answer: all of it is told."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from support.lab import SOON, Lab, finish, living, single_node
from windtunnel.backends.process import ProcessBackend, platform
from windtunnel.backends.process.warden_client import WardenClient
from windtunnel.benchmark import load
from windtunnel.engines.inline import run
from windtunnel.engines.request import Request
from windtunnel.run.control import Control
from windtunnel.strategies import make_plan

NothingLeft = Callable[[], None]
RATE = '[[metrics]]\nname = "rate"\npattern = "rate=(\\\\S+)"\n'
FREEZER = Path("/sys/fs/cgroup/freezer")
WAITING = single_node(["sh", "-c", "echo here; sleep 1000"], RATE)
LEAVE = "(trap '' TERM; sleep 1000; true) & sleep 0.1; echo rate=1"


def test_what_outlives_its_iteration_makes_the_next_one_suspect(
    lab: Lab, nothing_left: NothingLeft, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note tells that it could not be ended, the verdict names both iterations, and the warden ends it at last."""
    monkeypatch.setattr(WardenClient, "kill", lambda _warden, _child: None)
    monkeypatch.setattr(platform, "KILL_SECONDS", 1.0)
    loaded = load(lab.write(single_node(["sh", "-c", LEAVE], f"{RATE}[run]\nrepeats = 3\n")))
    plan = make_plan(loaded.benchmark)
    record = run(Request(loaded, plan, ProcessBackend(), lab.path / "runs", Control.for_plan(plan)))
    nothing_left()

    assert record.validity == "suspect"
    beside = "was measured beside what client.{} left, which could not be ended"
    pairs = [("client.2", 1), ("client.3", 1), ("client.3", 2)]
    assert record.reasons[:3] == [f"{label} {beside.format(other)}" for label, other in pairs]
    events = (lab.only_run() / "events.jsonl").read_text()
    assert "what client.1 left could not be ended" in events


@pytest.fixture
def frozen() -> Iterator[Path]:
    """A control group whose processes cannot even be killed."""
    group = FREEZER / f"windtunnel-{os.getpid()}"
    try:
        group.mkdir()
        (group / "freezer.state").write_text("FROZEN")
    except OSError:
        pytest.skip("needs root and the freezer of cgroup v1")
    yield group
    (group / "freezer.state").write_text("THAWED")
    deadline = time.monotonic() + 20
    while (group / "cgroup.procs").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    group.rmdir()


@pytest.mark.full
def test_a_process_that_cannot_be_ended_is_exit_7(lab: Lab, frozen: Path, nothing_left: NothingLeft) -> None:
    """The result stands; the record names what is left."""
    script = f"sleep 1000 & echo $! > {frozen}/cgroup.procs; echo rate=1"
    result = lab.run(single_node(["sh", "-c", script], RATE))
    (pid,) = [int(line) for line in (frozen / "cgroup.procs").read_text().split()]
    (frozen / "freezer.state").write_text("THAWED")
    nothing_left()

    assert result.exit_code == 7
    assert result.record["status"] == "succeeded"
    assert result.record["resources"]["left"] == [f"sleep (process {pid})"]
    assert "what client.1 left could not be ended" in result.stderr


def test_a_warden_that_was_stopped_is_killed(lab: Lab, nothing_left: NothingLeft) -> None:
    """Neither it, nor its keepers, nor the steps stay; who asks twice does not wait for it."""
    with lab.start("run", str(lab.write(WAITING)), "--json") as process:
        lab.wait_for_log("client", "here")
        (warden,) = psutil.Process(process.pid).children()
        for stopped in (*warden.children(), warden):
            stopped.suspend()
        process.send_signal(signal.SIGINT)
        assert process.stderr
        assert any("once more" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        result = finish(process)
    nothing_left()

    assert time.monotonic() - began < SOON
    assert result.exit_code == 130
    assert result.record["resources"]["left"] == []


@pytest.mark.alone
def test_reap_ends_a_stopped_warden_that_lost_its_driver(lab: Lab, nothing_left: NothingLeft) -> None:
    """Nobody would wake it."""
    with lab.start("run", str(lab.write(WAITING))) as process:
        lab.wait_for_log("client", "here")
        (warden,) = psutil.Process(process.pid).children()
        for stopped in (*warden.children(), warden):
            stopped.suspend()
        process.kill()
        finish(process)
    found = json.loads(lab.call("reap", "--json").stdout)
    nothing_left()

    assert any(f"process {warden.pid})" in name for name in found["found"])
    assert found["left"] == []
    assert not any("supervisor" in command for command in living().values())
