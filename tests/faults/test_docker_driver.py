"""The driver of a run on Docker is killed within a step, or stopped: nothing stays, nothing is lost."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from support.docker_lab import client_server, docker_client, inventory
from support.lab import Lab, finish
from support.proxy import Proxy

pytestmark = pytest.mark.usefixtures("docker_empty")
Check = Callable[..., None]


def start(lab: Lab, text: str | None = None) -> subprocess.Popen[str]:
    """Start a run of a client that hangs."""
    file = lab.write(text or client_server(client="--hang-in 1"))
    return lab.start("run", str(file), "--backend", "docker", "--json")


def warden_of(driver: int) -> psutil.Process:
    """Return the warden of a driver."""
    (warden,) = [child for child in psutil.Process(driver).children() if "docker.warden" in child.cmdline()]
    return warden


@contextlib.contextmanager
def killed_at(process: subprocess.Popen[str], kind: str, action: str, lab: Lab) -> Iterator[threading.Event]:
    """Kill a driver the moment Docker tells of something of its run, while the driver still waits for the answer."""
    done = threading.Event()

    def is_its(event: dict[str, dict[str, dict[str, str]]]) -> bool:
        attributes = event["Actor"]["Attributes"]
        (run,) = [path.name for path in lab.path.glob("runs/*")] or [" "]
        return attributes.get("windtunnel.dev/run", attributes["name"]) == run

    with docker_client() as client:
        events = client.events(filters={"type": kind, "event": action}, decode=True)

        def watch() -> None:
            with contextlib.suppress(Exception):
                for event in events:
                    if is_its(event):
                        process.kill()
                        done.set()
                        return

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield done
        finally:
            events.close()
            thread.join()


@pytest.mark.parametrize(
    ("kind", "action"), [("network", "create"), ("container", "create"), ("container", "start"), ("container", "die")]
)
def test_what_was_just_being_made_goes_too(
    lab: Lab, nothing_left: Check, docker_empty: Check, kind: str, action: str
) -> None:
    """Docker may make what the driver asked for and never heard of."""
    with start(lab, client_server(client="--requests 3")) as process, killed_at(process, kind, action, lab) as killed:
        assert killed.wait(60)
        finish(process)
    docker_empty()
    nothing_left(10)


@pytest.mark.full
@pytest.mark.parametrize("delay", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
def test_sigkill_while_it_starts_leaves_nothing(
    lab: Lab, nothing_left: Check, docker_empty: Check, delay: float
) -> None:
    """At moments that are no boundary."""
    with start(lab) as process:
        lab.wait_for("run_started")
        time.sleep(delay)
        process.kill()
        finish(process)
    docker_empty()
    nothing_left(75)  # a request that never reached Docker is waited for


def test_ctrl_c_is_heard_while_replicas_are_started(lab: Lab, nothing_left: Check) -> None:
    """Those that were not started yet are not started any more."""
    replicas, since = 16, int(time.time())
    with start(lab, client_server(server_keys=f"replicas = {replicas}")) as process, docker_client() as client:
        only_starts = {"type": "container", "event": "start"}
        lab.wait_for("run_started")
        run = lab.only_run().name
        for event in client.events(since=since, filters=only_starts, decode=True):
            if event["Actor"]["Attributes"].get("windtunnel.dev/run") == run:
                break
        process.send_signal(signal.SIGINT)
        result = finish(process)
        started = [
            event
            for event in client.events(since=since, until=int(time.time()) + 1, filters=only_starts, decode=True)
            if event["Actor"]["Attributes"].get("windtunnel.dev/run") == run
        ]
    nothing_left()

    assert result.exit_code == 130
    assert 0 < len(started) < replicas / 2
    assert result.record["resources"]["left"] == []


def test_the_death_of_the_warden_ends_the_run(lab: Lab, nothing_left: Check) -> None:
    """The driver does its work then: exit 3, and nothing stays."""
    with start(lab) as process:
        lab.wait_for("iteration_started")
        warden_of(process.pid).kill()
        result = finish(process)
    nothing_left()

    assert result.exit_code == 3
    assert result.cause == "warden_lost"
    assert result.record["resources"] == {"created": 3, "gone": 3, "left": []}


def test_the_deadline_ends_everything_while_the_driver_is_stopped(lab: Lab, docker_empty: Check) -> None:
    """A driver that hangs (SIGSTOP) does not keep a run alive for ever: the warden is told to end by SIGTERM here."""
    with start(lab) as process:
        lab.wait_for("iteration_started")
        warden = warden_of(process.pid)
        process.send_signal(signal.SIGSTOP)
        warden.terminate()
        docker_empty()
        process.send_signal(signal.SIGCONT)
        assert finish(process).exit_code in {3, 5}


@pytest.mark.alone
def test_reap_ends_what_lost_driver_and_warden(lab: Lab, nothing_left: Check) -> None:
    """Both are killed at once; `reap --dry-run` names what is left, `reap` ends it; a living run is left alone."""
    with start(lab) as process:
        lab.wait_for("iteration_started")
        name = lab.only_run().name
        assert not [found for found in json.loads(lab.call("reap", "--json").stdout)["found"] if name in found]
        warden = warden_of(process.pid)
        warden.suspend()
        process.kill()
        finish(process)
        warden.kill()
    time.sleep(0.2)
    assert len(inventory(lab.path)) == 3

    would = json.loads(lab.call("reap", "--dry-run", "--json").stdout)
    did = lab.call("reap", "--json")
    nothing_left()

    assert {f"container {name}-server", f"container {name}-client.1", f"network {name}"} <= set(would["found"])
    assert did.exit_code == 0
    assert json.loads(did.stdout)["left"] == []
    assert inventory(lab.path) == set()


def test_two_runs_at_once_do_not_see_each_other(lab: Lab, nothing_left: Check, tmp_path: Path) -> None:
    """Killing one driver leaves the other's run whole."""
    other = Lab(tmp_path / "other")
    other.path.mkdir()
    with (
        start(lab) as killed,
        start(other, client_server(server="--latency 0.05", client="--requests 100")) as kept,
    ):
        lab.wait_for("iteration_started")
        other.wait_for("iteration_started")
        killed.kill()
        finish(killed)
        result = finish(kept)
    nothing_left()

    assert result.exit_code == 0
    assert len(other.samples()) == 100


def test_a_container_of_somebody_else_on_the_network_does_not_keep_it(lab: Lab, docker_empty: Check) -> None:
    """It is taken off the network, and lives on."""
    with docker_client() as client, start(lab) as process:
        lab.wait_for("iteration_started")
        name = lab.only_run().name
        image = client.api.inspect_container(f"{name}-server")["Image"]
        guest = client.containers.run(image, ["sleep", "60"], name=f"guest-of-{lab.path.name}", detach=True, init=True)
        try:
            client.networks.get(name).connect(guest)
            process.kill()
            finish(process)
            docker_empty()
            guest.reload()
            assert guest.status == "running"
        finally:
            guest.remove(force=True, v=True)


def test_a_daemon_that_is_lost_for_a_while_is_swept_when_it_is_back(lab: Lab, docker_empty: Check) -> None:
    """The run ends with exit 3; the warden tries again until Docker answers."""
    with Proxy() as proxy:
        lab.env = lab.env | {"DOCKER_HOST": proxy.host}
        with start(lab) as process:
            lab.wait_for("iteration_started")
            proxy.cut()
            lab.wait_for('"cause"')
            assert len(inventory(lab.path)) == 3
            proxy.mend()
            result = finish(process)

    assert result.exit_code == 3
    assert result.cause == "daemon_lost"
    docker_empty()


def test_a_warden_that_was_stopped_does_its_work_all_the_same(lab: Lab, nothing_left: Check) -> None:
    """The driver wakes it when the run ends; neither it nor the network stays."""
    with start(lab) as process:
        lab.wait_for("iteration_started")
        warden_of(process.pid).suspend()
        process.send_signal(signal.SIGINT)
        result = finish(process)
    nothing_left()

    assert result.exit_code == 130
    assert result.record["resources"]["left"] == []
