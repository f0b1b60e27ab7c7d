"""Gangs under Argo: the job's own pod is Argo's, which makes it once; all others are the driver's."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.docker_lab import gang
from support.kubernetes_lab import KUBECTL, kubectl, need_project_images
from support.lab import EVENT_SECONDS, Lab, finish

pytestmark = [
    pytest.mark.full,
    pytest.mark.usefixtures("argo", "cluster_empty", "nothing_left"),
    pytest.mark.timeout(600),
]
PODS = "windtunnel.dev/benchmark=gang,windtunnel.dev/step={}"


@pytest.fixture
def submitting(lab: Lab) -> Callable[[str], subprocess.Popen[str]]:
    """Submits a benchmark and waits for it."""
    need_project_images()

    def submit(text: str) -> subprocess.Popen[str]:
        return lab.start("submit", str(lab.write(text)), "--wait", "--json")

    return submit


def await_output(words: str) -> None:
    """Wait until the client has printed something; its pod comes late, and is not there to be asked before."""
    command = [KUBECTL, "logs", "--selector", "windtunnel.dev/step=client", "--container", "main"]
    deadline = time.monotonic() + EVENT_SECONDS
    while words not in subprocess.run(command, check=False, capture_output=True, text=True).stdout:
        assert time.monotonic() < deadline, f"no {words!r} in time"
        time.sleep(0.3)


def test_a_workers_death_is_told_with_its_rank_and_its_node(submitting: Callable[[str], subprocess.Popen[str]]) -> None:
    """Exit 5, as with the driver on this machine."""
    with submitting(gang('launcher = "openmpi"', script="echo begun; sleep 300")) as process:
        await_output("begun")
        pods = json.loads(kubectl("get", "pods", "--selector", PODS.format("gang"), "--output", "json"))["items"]
        (second,) = [each for each in pods if each["spec"]["hostname"] == "gang-1"]
        kubectl("delete", "pod", second["metadata"]["name"], "--wait=false")
        result = finish(process)

    assert result.exit_code == 5, result.stderr
    assert result.cause == "removed"
    node = second["spec"]["nodeName"]
    words = f"gang's worker gang-1 (rank 1 on {node}) was deleted by somebody while it was needed"
    assert result.record["cause"]["message"] == words


def test_members_that_have_no_room_are_refused_though_they_wait(
    submitting: Callable[[str], subprocess.Popen[str]],
) -> None:
    """The pod that Argo made cannot be made anew: that there is room for all others is known before it is let go."""
    nodes = json.loads(kubectl("get", "nodes", "--output", "json"))["items"]
    size = len([each for each in nodes if not each["spec"].get("taints")]) + 1
    keys = f'size = {size}\nplacement = "spread"\nwait = "1m"'
    with submitting(gang('launcher = "none"', keys)) as process:
        result = finish(process)

    assert result.exit_code == 3, result.stderr
    assert result.cause == "unschedulable"
    assert result.record["cause"]["message"].endswith(f"{size - 1} of {size} would fit")
    events = (Path(result.record["path"]) / "events.jsonl").read_text()
    assert "is not tried again, as its pod is made once" in events
