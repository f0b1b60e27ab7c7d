"""Docker misbehaves, or what runs on it does: the right exit code, the cause in words, and nothing left."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from support.docker_lab import RATE, client_server, docker_client, image, inventory, run, shell, single_node
from support.lab import SOON, Lab, finish
from windtunnel.backends import make_backend
from windtunnel.backends.base import RunContext
from windtunnel.errors import PlatformError
from windtunnel.plan import Job, Plan, Probe, Program, Readiness, Service
from windtunnel.run.control import Control
from windtunnel.run.folder import RunFolder, tail
from windtunnel.run.journal import Journal

pytestmark = pytest.mark.usefixtures("docker_empty", "nothing_left")


def test_a_step_without_an_image_is_refused(lab: Lab) -> None:
    """Exit 2: nothing was started."""
    result = run(lab, single_node(["true"]).replace("image =", "# image ="))

    assert result.exit_code == 2
    assert 'client: the docker backend needs an image; give client.image = "NAME:TAG"' in result.stderr
    assert result.record["run_id"] is None


def test_a_process_that_is_killed_for_memory_is_doubted(lab: Lab) -> None:
    """The command goes on without it and succeeds: what it tells then is not what was to be measured."""
    limit = 'resources = { memory = "64Mi" }'
    script = "python3 -c \"x = b'x' * 200_000_000\"; echo rate=4"
    result = run(lab, single_node(shell(script), RATE, client=limit))

    assert result.exit_code == 0
    assert result.record["validity"] == "suspect"
    assert "client: a process of it was killed, it ran out of its memory of 64 MiB" in result.record["reasons"]


def test_a_container_that_somebody_pauses_is_doubted(lab: Lab) -> None:
    """Its numbers have the pause in them, and nothing else would tell."""
    script = "while [ ! -e go ]; do sleep 0.1; done; echo rate=4"
    file = lab.write(single_node(shell(script), RATE))
    with lab.start("run", str(file), "--backend", "docker", "--json") as process:
        lab.wait_for("iteration_started")
        name = f"{lab.only_run().name}-client.1"
        with docker_client() as client:
            client.api.pause(name)
            client.api.unpause(name)
            client.api.exec_start(client.api.exec_create(name, ["touch", "go"])["Id"])
        result = finish(process)

    assert result.exit_code == 0
    assert result.record["validity"] == "suspect"
    assert "client: its container was paused by somebody else, through Docker" in result.record["reasons"]


def test_a_server_that_answers_no_longer_is_not_told_where_to_listen(lab: Lab) -> None:
    """It was reached before, so that is not why."""
    server = f"""
[server]
image = "{image()}"
command = {json.dumps(shell("timeout 3 python3 -m http.server --bind 0.0.0.0 $PORT; sleep 1000"))}
port = 0
ready = {{ http = "/", within = "20s" }}
live = {{ tcp = true, every = "200ms", failures = 2 }}
grace = "1s"
"""
    text = single_node(["sleep", "1000"], server).replace("single-node", "client-server")
    result = run(lab, text)

    assert result.cause == "liveness_failed"
    assert result.record["cause"]["message"].endswith(": connection refused")


def test_results_that_a_step_removed_are_told(lab: Lab) -> None:
    """As its own act, and what it measured is doubted; that its container is gone is another matter."""
    result = run(lab, single_node(shell("rm -r /windtunnel/results; echo rate=4"), RATE))

    assert result.exit_code == 0
    assert "in iteration 1 it removed /windtunnel/results, and with it what it wrote" in result.record["reasons"]


def test_a_limit_that_the_machine_does_not_have_is_the_platforms_error(lab: Lab) -> None:
    """Exit 3 in the daemon's words."""
    result = run(lab, single_node(["true"], client='resources = { cpu = "1000" }'))

    assert result.exit_code == 3
    assert result.cause == "container_failed"
    assert "CPUs available" in result.record["cause"]["message"]


def test_a_server_that_is_killed_from_outside_is_heard_at_once(lab: Lab) -> None:
    """`docker kill` during the benchmark: exit 5, the signal's name, samples so far are kept."""
    file = lab.write(client_server(client="--hang-in 1"))
    with lab.start("run", str(file), "--backend", "docker", "--json") as process:
        lab.wait_for("iteration_started")
        deadline = time.monotonic() + 10
        with docker_client() as client:
            while not (tail(lab.only_run() / "logs" / "client.1.log")) and time.monotonic() < deadline:
                time.sleep(0.05)
            client.api.kill(f"{lab.only_run().name}-server")
            killed = time.time()
        lab.wait_for('"cause"')
        heard = time.time() - killed
        result = finish(process)

    assert heard < SOON
    assert result.exit_code == 5
    assert result.cause == "server_died"
    assert "server was killed by SIGKILL while it was needed" in result.record["cause"]["message"]
    assert len(lab.samples()) == 5


def test_a_client_that_is_removed_from_outside_is_the_platforms_failure(lab: Lab) -> None:
    """Exit 3: it did not fail, it was taken away."""
    with lab.start(
        "run", str(lab.write(client_server(client="--hang-in 1"))), "--backend", "docker", "--json"
    ) as process:
        lab.wait_for("iteration_started")
        with docker_client() as client:
            client.api.remove_container(f"{lab.only_run().name}-client.1", v=True, force=True)
        result = finish(process)

    assert result.exit_code == 3
    assert result.cause == "removed"


def test_a_server_that_is_removed_from_outside_did_not_die(lab: Lab) -> None:
    """Exit 5 with that as the cause, as of a pod that somebody deletes: it was not killed for anything that it did."""
    file = lab.write(client_server(client="--hang-in 1"))
    with lab.start("run", str(file), "--backend", "docker", "--json") as process:
        lab.wait_for("iteration_started")
        with docker_client() as client:
            client.api.remove_container(f"{lab.only_run().name}-server", v=True, force=True)
        result = finish(process)

    assert (result.exit_code, result.cause) == (5, "removed")
    assert "server was removed by somebody while it was needed" in result.record["cause"]["message"]


def test_a_network_that_is_removed_under_a_run_ends_it(lab: Lab) -> None:
    """Exit 3 at once, although the client would wait for ever."""
    with lab.start(
        "run", str(lab.write(client_server(client="--hang-in 1"))), "--backend", "docker", "--json"
    ) as process:
        lab.wait_for("iteration_started")
        name = lab.only_run().name
        with docker_client() as client:
            for step in ("server", "client.1"):
                client.api.disconnect_container_from_network(f"{name}-{step}", name, force=True)
            client.api.remove_network(name)
        result = finish(process)

    assert result.exit_code == 3
    assert result.cause == "network_lost"


def test_what_a_failed_client_wrote_is_kept(lab: Lab) -> None:
    """Artifacts and metrics of a client that failed, and its last words."""
    script = (
        "echo kept > $WINDTUNNEL_OUT/a.txt; mkdir $WINDTUNNEL_OUT/sub; echo left > $WINDTUNNEL_OUT/sub/b.log;"
        ' echo \'{"metric": "x", "value": 5}\' > $WINDTUNNEL_METRICS; ln -s /etc/passwd $WINDTUNNEL_OUT/link.txt;'
        " echo sorry; exit 3"
    )
    result = run(lab, single_node(shell(script), '[output]\nartifacts = ["*.txt"]'))

    assert result.exit_code == 1
    assert "client exited with status 3" in result.record["cause"]["message"]
    folder = lab.only_run() / "artifacts" / "client.1"
    assert {str(path.relative_to(folder)) for path in folder.rglob("*")} == {"a.txt"}
    assert result.record["metrics"]["x"]["values"] == [5]
    assert "sorry" in result.stderr


def test_what_a_client_wrote_may_be_more_than_the_disk_takes(lab: Lab) -> None:
    """Exit 3 at once: the daemon, which would send the rest, does not keep the container."""
    store = lab.path / "small"
    store.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(store)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    try:
        script = "head -c 30000000 /dev/urandom > $WINDTUNNEL_OUT/big; echo rate=4"
        result = run(lab, single_node(shell(script), f'{RATE}\n[output]\nstore = "{store}"'))
    finally:
        subprocess.run(["umount", "-l", store], check=True)

    assert (result.exit_code, result.cause) == (3, "results_lost")
    assert result.record["cause"]["message"] == "client: what it wrote cannot be kept: No space left on device"
    assert result.record["resources"]["left"] == []


def test_a_client_that_meets_its_limit_is_starved(lab: Lab) -> None:
    """With a fifth of a core and the wish for a whole one, its numbers are suspect, and the reason is told."""
    burn = "import time; end = time.time() + 2.5\nwhile time.time() < end: pass\nprint('rate=1')"
    limit = 'resources = { cpu = "0.2" }'
    result = run(lab, single_node(["python3", "-c", burn], f"[run]\nrepeats = 3\n{RATE}", client=limit))

    assert result.record["validity"] == "suspect"
    assert result.record["reasons"][0].startswith("client was starved of CPU: it used")
    assert result.record["usage"]["client"]["cpu_mean"] < 0.3


def test_ctrl_c_during_a_benchmark_ends_it_soon(lab: Lab) -> None:
    """Exit 130, and what was measured is kept."""
    with lab.start(
        "run", str(lab.write(client_server(client="--hang-in 1"))), "--backend", "docker", "--json"
    ) as process:
        lab.wait_for("iteration_started")
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        result = finish(process)

    assert result.exit_code == 130
    assert time.monotonic() - began < SOON
    assert len(lab.samples()) == 5


def test_an_unreachable_daemon_is_told_before_anything_starts(lab: Lab) -> None:
    """Exit 3 with the address that was tried; `doctor` says the same."""
    text = single_node(["true"])
    lab.env = lab.env | {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    result = run(lab, text)

    assert result.exit_code == 3
    assert "no Docker daemon at unix:///nowhere/docker.sock: No such file or directory" in result.stderr
    assert result.record["run_id"] is None


def test_a_daemon_whose_containers_cannot_be_reached_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a probe that cannot be asked from here; what was made goes again."""
    monkeypatch.setattr(psutil, "net_if_addrs", dict)
    program = Program(command=("true",), image=image())
    server = Service(name="server", program=program, port=0, ready=Readiness(probe=Probe(kind="tcp"), within=1))
    job = Job(name="client", program=program, needs=("server",))
    plan = Plan(benchmark="far", strategy="client-server", timeout=60, steps=(server, job))
    folder = RunFolder.create(tmp_path / "runs", plan, "")

    with pytest.raises(PlatformError, match="use exec or log probes") as caught:
        make_backend("docker").open(RunContext(plan, folder, Journal(folder), Control(60), tmp_path))
    assert caught.value.code == "daemon_remote"
    assert inventory(tmp_path) == set()
