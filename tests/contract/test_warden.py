"""The warden on its own: what it ends, and when."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from windtunnel.backends.notifier import Notifier
from windtunnel.backends.process.run_marker import RUN_VARIABLE
from windtunnel.backends.process.warden_client import WardenClient
from windtunnel.errors import PlatformError, WindtunnelError
from windtunnel.run.control import Control

pytestmark = pytest.mark.usefixtures("nothing_left")
ESCAPE = "(setsid sh -c '(sleep 1000 &) ; sleep 1000' &) ; sleep 1000"
"""A shell whose children leave their parent, their group and their session."""


def spawn(warden: WardenClient, folder: Path, script: str) -> None:
    """Start a shell script below the warden, with the mark of a run that is called after its folder."""
    warden.spawn(["/bin/sh", "-c", script], folder, os.environ | {RUN_VARIABLE: str(folder)}, folder / "log")


def check_until(warden: WardenClient, seconds: float) -> None:
    """Ask for what has become of the warden, until it is no more (what `check` raises) or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        warden.check()
        time.sleep(0.02)


def test_what_escapes_is_still_below_the_warden(tmp_path: Path) -> None:
    """It lists, and ends, what left its parent, its group and its session."""
    warden = WardenClient(Notifier(Control(60)), "run", 60, tmp_path / "errors")
    spawn(warden, tmp_path, ESCAPE)

    def sleepers() -> int:
        return [name for _pid, name in warden.processes()].count("sleep")

    deadline = time.monotonic() + 5
    while sleepers() < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert sleepers() == 3
    assert warden.close()


def test_all_that_runs_is_listed_however_much_it_is(tmp_path: Path) -> None:
    """A list that no pipe takes at once is whole, beside what the keepers tell meanwhile."""
    warden = WardenClient(Notifier(Control(60)), "run", 60, tmp_path / "errors")
    spawn(warden, tmp_path, "for _ in $(seq 300); do sleep 1000 & done; wait")
    deadline = time.monotonic() + 60
    while [name for _pid, name in warden.processes()].count("sleep") < 300:
        assert time.monotonic() < deadline
        # Its keeper tells of it meanwhile.
        assert warden.wait_gone(warden.spawn(["/bin/true"], tmp_path, {}, tmp_path / "log"), 10)
    assert warden.close()


def test_the_deadline_ends_everything_while_the_driver_lives(tmp_path: Path) -> None:
    """A driver that was stopped (SIGSTOP) or hangs does not keep a run alive for ever."""
    warden = WardenClient(Notifier(Control(60)), "run", 1.0, tmp_path / "errors")
    spawn(warden, tmp_path, ESCAPE)

    with pytest.raises(PlatformError, match="the warden is gone"):
        check_until(warden, 20)
    warden.close()


@pytest.mark.parametrize("request_", [{"do": "dance"}, {"do": "spawn", "id": 0, "name": "x"}])
def test_a_bug_of_the_wardens_is_told_as_one(tmp_path: Path, request_: dict[str, object]) -> None:
    """Its own, or a keeper's: exit 70 with what Python said, where somebody who killed it is a lost platform."""
    warden = WardenClient(Notifier(Control(60)), str(tmp_path), 60, tmp_path / "errors")
    spawn(warden, tmp_path, ESCAPE)
    warden._pipe.write(json.dumps(request_) + "\n")  # noqa: SLF001 - nobody asks so
    with pytest.raises(WindtunnelError, match="a bug of Windtunnel's, in the warden") as caught:
        check_until(warden, 20)
    assert caught.value.exit_code == 70
    assert any("KeyError" in line for line in (tmp_path / "errors").read_text().splitlines())
    assert caught.value.log_tail
    warden.close()


def test_a_warden_that_dies_as_it_is_closed_leaves_nothing(tmp_path: Path) -> None:
    """It has ended nothing itself, whoever was about to close it."""
    warden = WardenClient(Notifier(Control(60)), str(tmp_path), 60, tmp_path / "errors")
    spawn(warden, tmp_path, ESCAPE)
    os.kill(warden.pid, signal.SIGKILL)

    assert warden.close()


def test_a_fork_storm_is_ended(tmp_path: Path) -> None:
    """Processes that start others while they are being killed do not win."""
    warden = WardenClient(Notifier(Control(60)), "run", 60, tmp_path / "errors")
    spawn(warden, tmp_path, "while true; do (setsid sleep 1000 &) ; (setsid sleep 1000 &) ; sleep 0.01; done")
    time.sleep(0.5)

    assert warden.close()
    assert (tmp_path / "errors").read_text() == ""


def test_a_command_of_megabytes_arrives_whole(tmp_path: Path) -> None:
    """Commands are longer than a pipe's buffer when their arguments are."""
    warden = WardenClient(Notifier(Control(60)), "run", 60, tmp_path / "errors")
    words = ["x" * 100_000] * 12
    child = warden.spawn(["/bin/sh", "-c", 'printf %s "$*" | wc -c', *words], tmp_path, {}, tmp_path / "log")

    assert warden.wait_gone(child, 10)
    assert (tmp_path / "log").read_text().strip() == str(11 * 100_001 - 1)
    warden.close()


def test_keepers_are_used_again(tmp_path: Path) -> None:
    """A thousand short steps need a few keepers, not a thousand."""
    warden = WardenClient(Notifier(Control(60)), "run", 60, tmp_path / "errors")
    keepers = set()
    for _ in range(50):
        child = warden.spawn(["/bin/true"], tmp_path, {}, tmp_path / "log")
        assert warden.wait_gone(child, 5)
        keepers.add(child.keeper)

    assert len(keepers) < 10
    warden.close()
