"""A cluster misbehaves, or what runs on it does: the right exit code, the cause in words, soon, and nothing left."""

from __future__ import annotations

import pytest

from support.docker_lab import client_server, single_node
from support.kubernetes_faults import FINISH_SECONDS, LOG_SECONDS, NO_IMAGE, REQUESTS, Fault
from support.kubernetes_lab import image
from support.lab import finish

pytestmark = [pytest.mark.usefixtures("docker_empty", "nothing_left"), pytest.mark.timeout(300)]
full = pytest.mark.full
SAME_POD = 'placement = "same-pod"'
LIMIT = 'resources = { memory = "64Mi" }'


def test_an_image_that_cannot_be_had_is_told(fault: Fault) -> None:
    """Exit 3 with the step, the image and the runtime's words."""
    text = client_server().replace(f'image = "{image()}"', f'image = "{NO_IMAGE}"', 1)
    message = fault.ended(fault.run(text), 3, "image_pull")

    assert f"server: has no image {NO_IMAGE}" in message
    assert "connection refused" in message


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ('resources = { cpu = "1000" }', "Insufficient cpu"),
        pytest.param('node_selector = { nowhere = "at-all" }', "didn't match Pod's node affinity/selector", marks=full),
    ],
)
def test_a_client_that_no_node_takes_is_told_in_the_schedulers_words(fault: Fault, keys: str, words: str) -> None:
    """Exit 3, not the end of the run's time; what was up already is taken down."""
    message = fault.ended(fault.run(client_server(client_keys=keys)), 3, "unschedulable")

    assert "client: cannot be scheduled: 0/" in message
    assert words in message


def test_a_server_that_is_never_ready_ends_the_run_in_time(fault: Fault) -> None:
    """Exit 3 with the last answer, what is usually wrong, and the server's last lines."""
    result = fault.run(client_server(server="--host 127.0.0.1", ready='{ tcp = true, within = "2s" }'))
    message = fault.ended(result, 3, "not_ready")

    assert "server was not ready within 2 s" in message
    assert "connection refused; in a pod a server has to listen on all addresses" in message
    assert "server: listening" in result.stderr


@pytest.mark.parametrize("keys", ["", pytest.param(SAME_POD, marks=full)])
def test_a_server_that_dies_before_it_is_ready_is_told_at_once(fault: Fault, keys: str) -> None:
    """Its status and last words come without waiting for `within`; in its client's pod it is not tried again."""
    result = fault.run(client_server(server="--die-at-start 7", server_keys=keys))
    message = fault.ended(result, 3, "exited_before_ready")

    assert "server exited with status 7 before it was ready" in message
    assert "server: no configuration, giving up" in result.stderr


def test_a_client_without_memory_is_told_so(fault: Fault) -> None:
    """Exit 1: it is the benchmark's own failure."""
    result = fault.run(single_node(["python3", "-c", "x = b'x' * 200_000_000"], client=LIMIT))

    assert "client ran out of its memory of 64 MiB" in fault.ended(result, 1, "oom")


@pytest.mark.parametrize("keys", ["", pytest.param(SAME_POD, marks=full)])
def test_a_server_without_memory_is_told_so(fault: Fault, keys: str) -> None:
    """Exit 5: it had been ready, and the numbers are worth nothing; samples so far are kept."""
    result = fault.run(client_server(server="--eat-after 3", server_keys=f"{LIMIT}\n{keys}"))
    message = fault.ended(result, 5, "oom")

    assert "server ran out of its memory of 64 MiB while it was needed" in message
    assert len(fault.lab.samples()) == 2


@pytest.mark.parametrize(
    ("command", "target"),
    [
        ("no-such-command", "plain"),
        pytest.param("./no-such-file", "plain", marks=full),
        pytest.param("/no/such/file", "bare", marks=full),
    ],
)
def test_a_command_that_is_not_in_the_image_is_told(fault: Fault, command: str, target: str) -> None:
    """Exit 3 with its name; no measuring command started."""
    image(target)
    result = fault.run(single_node([command], target=target))

    assert f"client: command not found: {command}" in fault.ended(result, 3, "command_not_found")
    assert result.record["validity"] is None


@full
def test_a_command_that_cannot_be_executed_is_told_apart(fault: Fault) -> None:
    """A file without the right to execute it."""
    result = fault.run(single_node(["./script"], '[client.files]\n"script" = "#!/bin/sh"'))

    assert "cannot run ./script: permission denied" in fault.ended(result, 3, "command_not_runnable")


@full
def test_a_readiness_command_that_is_not_in_the_image_is_told_at_once(fault: Fault) -> None:
    """Exit 3 long before `within`."""
    result = fault.run(client_server(ready='{ exec = ["no-such-probe"], within = "100s" }'))

    assert "no-such-probe" in fault.ended(result, 3, "command_not_found")


@full
def test_a_server_that_hangs_fails_its_liveness_probe(fault: Fault) -> None:
    """Exit 5 with the question and its answer, though it still runs."""
    live = 'live = { http = "/alive", every = "100ms", timeout = "500ms", failures = 2 }'
    result = fault.run(client_server(server="--hang-after 4", server_keys=live))
    message = fault.ended(result, 5, "liveness_failed")

    assert "server failed its liveness probe 2 times in a row" in message
    assert len(fault.lab.samples()) == 3


@pytest.mark.parametrize("keys", ["", pytest.param(SAME_POD, marks=full)], ids=["apart", "same-pod"])
def test_a_server_that_is_killed_is_heard_at_once(fault: Fault, keys: str) -> None:
    """Exit 5, the signal's name; a server that is started again in its client's pod has died all the same."""
    with fault.hanging(client_server(client="--hang-in 1", server_keys=keys)) as process:
        said = fault.lab.wait_for_log("server", "listening", LOG_SECONDS)
        pid = said.split("process ")[1].split()[0]
        pod = fault.name("client", 1) if keys else fault.name("server")
        fault.strike(lambda: fault.execute(pod, "server", "sh", "-c", f"kill -9 {pid}"))
        result = finish(process, FINISH_SECONDS)

    # In its client's pod it is told as soon as Kubernetes knows, which may be before it is started again.
    assert "server was killed by SIGKILL" in fault.ended(result, 5, "server_died")
    assert len(fault.lab.samples()) == REQUESTS


def test_a_server_in_its_clients_pod_that_dies_is_to_blame(fault: Fault) -> None:
    """Exit 5: that its client failed for it, and with it the pod, is not the client's failure."""
    result = fault.run(client_server(server="--die-after 3", server_keys=SAME_POD))

    assert "server exited with status 9" in fault.ended(result, 5, "server_died")
    assert len(fault.lab.samples()) == 2


def test_a_server_in_its_clients_pod_that_is_never_ready_is_told(fault: Fault) -> None:
    """Exit 3 with its last lines; its client has not started."""
    ready = '{ http = "/ready", within = "2s" }'
    result = fault.run(client_server(server="--unready", server_keys=SAME_POD, ready=ready))

    assert "server was not ready within 2 s" in fault.ended(result, 3, "not_ready")
    assert "server: listening" in result.stderr
    assert result.record["validity"] is None


@full
def test_what_a_step_wrote_and_never_came_makes_the_result_suspect(fault: Fault) -> None:
    """Its collector is stopped: metrics and artifacts are lost, though what it printed is there."""
    stop = "kill -STOP $(grep -l agent.[c]ollector /proc/[0-9]*/cmdline | cut -d/ -f3)"
    text = single_node(["sh", "-c", f"{stop}; echo rate=7"], '[[metrics]]\nname = "rate"\npattern = "rate=(.*)"')
    result = fault.run(text, "--set", "run.repeats=3")
    fault.wait_empty()

    assert result.exit_code == 0, result.stderr
    assert result.record["validity"] == "suspect"
    assert "in iteration 3 its pod is gone, and with it what it wrote" in result.record["reasons"]
