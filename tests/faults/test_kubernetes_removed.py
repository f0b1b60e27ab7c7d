"""What a run on a cluster stands on is taken away in the middle: told at once, samples kept, and nothing left."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass

import pytest

from support.docker_lab import client_server
from support.kubernetes_faults import FINISH_SECONDS, LOG_SECONDS, REQUESTS, Fault, shell_client
from support.lab import finish

pytestmark = [pytest.mark.usefixtures("docker_empty", "nothing_left"), pytest.mark.timeout(600)]
full = pytest.mark.full
BOTH, FIRST = 2 * REQUESTS, REQUESTS
"""Samples: those of the iteration that was over, and of the one that hung; only the warden can hand on the latter's."""


@dataclass(frozen=True)
class Deleted:
    """An object that is deleted, and what comes of it."""

    kind: str
    title: str
    exit_code: int
    causes: tuple[str, ...]
    words: str
    samples: int = BOTH


@pytest.mark.parametrize(
    "deleted",
    [
        pytest.param(Deleted("pod", "client", 3, ("removed",), "client: its pod was deleted by somebody"), marks=full),
        pytest.param(
            Deleted("pod", "server", 5, ("removed",), "server was deleted by somebody while it was needed"), marks=full
        ),
        Deleted("service", "server", 3, ("removed",), "server: its Service was deleted by somebody"),
        pytest.param(Deleted("job", "warden", 3, ("removed", "lease_lost"), "the run's ", FIRST), marks=full),
        pytest.param(Deleted("lease", "warden", 3, ("lease_lost",), "the run's lease is gone", FIRST), marks=full),
        Deleted("pod", "warden's", 3, ("removed",), "the run's warden was deleted by somebody", FIRST),
    ],
    ids=lambda deleted: f"{deleted.kind}-{deleted.title}",
)
def test_an_object_that_is_deleted_under_a_run_ends_it(fault: Fault, deleted: Deleted) -> None:
    """Although the client would wait for ever."""
    with fault.hanging() as process:
        pods = {"client": fault.client_pod, "warden's": fault.warden_pod()}
        name = pods.get(deleted.title) or fault.name(deleted.title)
        fault.strike(lambda: fault.delete(deleted.kind, name))
        result = finish(process, FINISH_SECONDS)

    assert deleted.words in fault.ended(result, deleted.exit_code, *deleted.causes)
    assert len(fault.lab.samples()) >= deleted.samples


@full
def test_a_file_that_is_deleted_under_a_run_ends_it_at_the_next_iteration(fault: Fault) -> None:
    """Its pod could wait for its ConfigMap for ever: the kubelet's words are told instead."""
    with fault.hanging(shell_client("echo client: hanging; sleep 5", "[run]\nrepeats = 2")) as process:
        fault.strike(lambda: fault.delete("configmap", fault.name("warden")))
        result = finish(process, FINISH_SECONDS)

    assert "not found" in fault.ended(result, 3, "container_failed")


@full
@pytest.mark.parametrize(
    ("step", "exit_code", "words"),
    [
        ("client", 3, "client: its pod was evicted"),
        ("server", 5, "server was evicted"),
        ("warden", 3, "the run's warden was evicted"),
    ],
)
def test_a_pod_that_is_evicted_ends_the_run(fault: Fault, step: str, exit_code: int, words: str) -> None:
    """A client's eviction is the platform's failure, a server's makes the numbers invalid."""
    with fault.hanging() as process:
        pods = {"client": fault.client_pod, "server": fault.name("server"), "warden": fault.warden_pod()}
        fault.strike(lambda: fault.evict(pods[step]))
        result = finish(process, FINISH_SECONDS)

    assert words in fault.ended(result, exit_code, "evicted")
    assert len(fault.lab.samples()) == (FIRST if step == "warden" else BOTH)


@full
def test_a_client_that_is_evicted_and_ends_in_order_has_not_measured(fault: Fault) -> None:
    """A load generator that ends with status 0 at SIGTERM was cut short all the same."""
    script = "trap 'exit 0' TERM; echo client: hanging; sleep 1000 & wait"
    with fault.hanging(shell_client(script)) as process:
        fault.strike(lambda: fault.evict(fault.name("client", 1)))
        result = finish(process, FINISH_SECONDS)

    assert "client: its pod was evicted" in fault.ended(result, 3, "evicted")


@full
def test_a_server_that_is_evicted_and_takes_its_time_is_told_at_once(fault: Fault) -> None:
    """Its numbers are worth nothing from the moment on at which it was told to go."""
    text = client_server(server="--ignore-term", client="--hang-in 2", tables="[run]\nrepeats = 2")
    with fault.hanging(text.replace('grace = "1s"', 'grace = "15s"')) as process:
        fault.strike(lambda: fault.evict(fault.name("server")))
        fault.lab.wait_for('"cause"', 10)
        result = finish(process, FINISH_SECONDS)

    assert "server was evicted" in fault.ended(result, 5, "evicted")


@full
@pytest.mark.parametrize("keys", ["", 'placement = "same-pod"'], ids=["apart", "same-pod"])
def test_ctrl_c_during_a_benchmark_ends_it_soon(fault: Fault, keys: str) -> None:
    """Exit 130, and what was measured is kept."""
    text = client_server(client="--hang-in 2", server_keys=keys, tables="[run]\nrepeats = 2")
    with fault.hanging(text) as process:
        fault.strike(lambda: process.send_signal(signal.SIGINT))
        result = finish(process, FINISH_SECONDS)

    assert "cancelled by SIGINT" in fault.ended(result, 130, "cancelled")
    assert len(fault.lab.samples()) == BOTH


def test_ctrl_c_twice_skips_every_grace(fault: Fault) -> None:
    """A server that would have a minute to end has none."""
    text = client_server(server="--ignore-term", client="--hang-in 2", tables="[run]\nrepeats = 2")
    with fault.hanging(text.replace('grace = "1s"', 'grace = "60s"')) as process:
        fault.strike(lambda: process.send_signal(signal.SIGINT))
        fault.lab.wait_for_log("server", "ignoring SIGTERM", LOG_SECONDS)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        result = finish(process, FINISH_SECONDS)

    assert time.monotonic() - began < 20
    fault.ended(result, 130, "cancelled")


@full
def test_the_deadline_ends_a_run(fault: Fault) -> None:
    """Exit 4 with the step and what was measured so far."""
    text = client_server(client="--hang-in 1", keys='timeout = "20s"')
    result = fault.run(text)

    assert "timeout of 20 s" in fault.ended(result, 4, "timed_out")
    assert result.record["cause"]["step"] == "client"
    assert len(fault.lab.samples()) == REQUESTS
