"""The driver of a run on a cluster is killed within a step, or stopped: nothing stays."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from support.docker_lab import client_server
from support.kubernetes_faults import FINISH_SECONDS, NO_IMAGE, REQUESTS, Fault
from support.kubernetes_lab import LEASE_SECONDS, everything, image, salt
from support.lab import Lab, finish
from windtunnel.backends.kubernetes.settings import POD, POD_UID

pytestmark = [pytest.mark.usefixtures("docker_empty", "nothing_left"), pytest.mark.timeout(600)]
full = pytest.mark.full


def start(lab: Lab, text: str) -> subprocess.Popen[str]:
    """Start a run."""
    return lab.start("run", str(lab.write(text)), "--backend", "kubernetes", "--json")


@pytest.mark.parametrize(
    "kind",
    [
        "jobs.batch",
        *(pytest.param(kind, marks=full) for kind in ("secrets", "configmaps", "leases", "services", "pods")),
    ],
)
def test_what_was_just_being_made_goes_too(fault: Fault, kind: str) -> None:
    """Killed the moment the cluster has the first of a kind: the warden may lack half of what it needs."""
    with start(fault.lab, client_server(client="--requests 3")) as process, killed_at(process, kind, fault.lab) as done:
        assert done.wait(60)
        finish(process)
    fault.killed(f"first of {kind}")


@contextmanager
def killed_at(process: subprocess.Popen[str], kind: str, lab: Lab) -> Iterator[threading.Event]:
    """Kill a driver the moment the cluster tells of an object of its run, while it still makes others."""
    done = threading.Event()
    command = ["kubectl", "get", kind, "--watch-only", "--output", "name"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        lines = watch.stdout

        def hear() -> None:
            for line in lines:
                if any(salt(path.name) in line for path in lab.path.glob("runs/*")):
                    process.kill()
                    done.set()
                    return

        thread = threading.Thread(target=hear)
        thread.start()
        try:
            yield done
        finally:
            watch.kill()
            thread.join()


@full
@pytest.mark.parametrize("delay", [0.1, 0.3, 0.6, 1.0, 1.5, 2.5])
def test_sigkill_while_it_starts_leaves_nothing(fault: Fault, delay: float) -> None:
    """At moments that are no boundary."""
    with start(fault.lab, client_server(client="--hang-in 1")) as process:
        fault.lab.wait_for("run_started")
        time.sleep(delay)
        process.kill()
        finish(process)
    fault.killed(f"{delay} s after run_started")


@full
def test_a_driver_that_dies_before_its_warden_runs_leaves_nothing(fault: Fault) -> None:
    """The Job's deadline ends the run then: its driver extended it for as long as the pod was on its way."""
    fault.lab.env = fault.lab.env | {"WINDTUNNEL_RUNNER_IMAGE": NO_IMAGE}
    with start(fault.lab, client_server()) as process:
        fault.lab.wait_for("service_starting")
        time.sleep(2)
        process.kill()
        finish(process)
    fault.killed("before its warden runs")


def test_a_driver_that_stops_for_longer_than_its_lease_has_lost_its_run(fault: Fault) -> None:
    """The warden ends everything; the driver says so once it goes on, and keeps what it had."""
    with fault.hanging() as process:
        fault.strike(lambda: process.send_signal(signal.SIGSTOP))
        fault.wait_empty()
        process.send_signal(signal.SIGCONT)
        fault.struck = time.time()
        result = finish(process, FINISH_SECONDS)

    assert f"the lease was not renewed for {LEASE_SECONDS} s" in fault.ended(result, 3, "lease_lost")
    assert len(fault.lab.samples()) == REQUESTS


@full
def test_a_driver_that_stops_for_less_than_its_lease_goes_on(fault: Fault) -> None:
    """Neither it nor the warden gives up."""
    with start(fault.lab, client_server(server="--latency 0.05", client="--requests 200")) as process:
        fault.lab.wait_for("iteration_started")
        process.send_signal(signal.SIGSTOP)
        time.sleep(LEASE_SECONDS / 2)
        process.send_signal(signal.SIGCONT)
        result = finish(process, FINISH_SECONDS)

    assert result.exit_code == 0
    assert len(fault.lab.samples()) == 200


@full
def test_what_a_driver_in_a_pod_has_goes_with_that_pod(fault: Fault) -> None:
    """Kubernetes collects it: that needs neither the driver nor its lease."""
    pod = f"windtunnel-driver-{uuid4().hex[:8]}"
    fault.kubectl("run", pod, "--image", image(), "--restart", "Never", "--command", "--", "sleep", "600")
    try:
        uid = fault.kubectl("get", "pod", pod, "--output", "jsonpath={.metadata.uid}")
        fault.lab.env = fault.lab.env | {POD: pod, POD_UID: uid, "WINDTUNNEL_LEASE_SECONDS": "600"}
        with fault.hanging() as process:
            owners = fault.kubectl(
                "get", "job", fault.name("warden"), "--output", "jsonpath={.metadata.ownerReferences}"
            )
            fault.strike(lambda: fault.kubectl("delete", "pod", pod, "--now"))
            result = finish(process, FINISH_SECONDS)
    finally:
        fault.kubectl("delete", "pod", pod, "--ignore-not-found", "--now")

    assert [owner["uid"] for owner in json.loads(owners)] == [uid]
    fault.ended(result, 3, "removed")
    assert len(fault.lab.samples()) == REQUESTS


@full
def test_two_runs_at_once_do_not_see_each_other(fault: Fault, tmp_path: Path) -> None:
    """Killing one driver leaves the other's run whole."""
    other = Lab(tmp_path / "other")
    other.path.mkdir()
    kept_text = client_server(server="--latency 0.05", client="--requests 200")
    with fault.hanging() as killed, start(other, kept_text) as kept:
        other.wait_for("iteration_started")
        killed.kill()
        finish(killed)
        fault.killed("two runs at once")
        result = finish(kept, FINISH_SECONDS)

    assert result.exit_code == 0
    assert len(other.samples()) == 200
    assert not [name for name in everything() if salt(other.only_run().name) in name]
