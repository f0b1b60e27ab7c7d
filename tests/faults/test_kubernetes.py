"""A cluster misbehaves, or what runs on it does: the right exit code, the cause in words, soon, and nothing left."""

from __future__ import annotations

import pytest

from support.docker_lab import client_server, single_node
from support.kubernetes_faults import FINISH_SECONDS, LOG_SECONDS, REQUESTS, Fault
from support.lab import finish

pytestmark = [pytest.mark.usefixtures("docker_empty", "nothing_left"), pytest.mark.timeout(600)]
full = pytest.mark.full
SAME_POD = 'placement = "same-pod"'
LIMIT = 'resources = { memory = "64Mi" }'


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
def test_metrics_that_are_no_file_end_the_run(fault: Fault) -> None:
    """Exit 5, as on the other backends: what was measured into a pipe is lost."""
    pipe = "rm -f $$WINDTUNNEL_METRICS; mkfifo $$WINDTUNNEL_METRICS; echo rate=7"
    text = single_node(["sh", "-c", pipe], '[[metrics]]\nname = "rate"\npattern = "rate=(.*)"')

    assert "$WINDTUNNEL_METRICS cannot be read" in fault.ended(fault.run(text), 5, "unreadable_output")


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
