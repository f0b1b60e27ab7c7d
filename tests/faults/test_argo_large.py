"""Workflows that are too large for Argo as they are, so that it compresses their nodes while they run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support import argo_lab
from support.argo_lab import controller_with, submitted
from support.claims import volume
from support.docker_lab import client_server

pytestmark = [
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.timeout(900),
    pytest.mark.full,
    pytest.mark.ends_controller,
]
MOST_BYTES = 45_000
"""Of a workflow here, instead of 1 MiB: what one takes that has had two iterations of a client."""
ITERATIONS = 4
ACTS = ["start server", "server is ready", *(f"benchmark {n}/{ITERATIONS}" for n in range(1, ITERATIONS + 1))]


@pytest.fixture
def store(argo: None) -> Iterator[str]:
    """A store that pods reach."""
    del argo
    with volume("777") as claim:
        yield claim.store


@pytest.mark.parametrize(("client", "cause"), [("", ""), (f"--fail-in {ITERATIONS}", "command_failed")])
def test_a_workflow_that_argo_compresses_is_like_any_other(store: str, client: str, cause: str) -> None:
    """It has its acts, its verdict and its numbers, says why it failed, and nothing of it is left."""
    text = client_server(client=client, tables=f"[run]\nrepeats = {ITERATIONS}\n")
    with controller_with("MAX_WORKFLOW_SIZE", str(MOST_BYTES)), submitted(text, store) as workflow:
        phase = workflow.end()
        read, acts, clients = workflow.read(), workflow.acts(), workflow.nodes("client")
        got, left = argo_lab.argo("get", workflow.name).stdout, workflow.left()
        verdict = workflow.outputs, workflow.record, workflow.message
        finished = workflow.nodes("finish")
        workflow.until_collected(60)

    assert "compressedNodes" in read["status"]
    assert "nodes" not in read["status"]
    assert not left
    assert len(clients) == ITERATIONS
    assert [act["displayName"] for act in acts] == [*ACTS, "stop server"]
    assert all(f" {name}" in got for name in ACTS)
    check(verdict, phase, cause)
    red = [(act["displayName"], act["message"]) for act in acts if act["phase"] == "Failed"]
    assert red == ([(ACTS[-1], verdict[0]["cause"])] if cause else [])
    assert bool(finished) == bool(cause)


def check(verdict: tuple[dict[str, str], dict[str, object], str], phase: str, cause: str) -> None:
    """Check what a workflow says of its end."""
    outputs, record, message = verdict
    metrics = record["metrics"]
    assert isinstance(metrics, dict)
    assert phase == ("Failed" if cause else "Succeeded")
    assert outputs["exit-code"] == ("1" if cause else "0")
    assert outputs["cause"].partition(":")[0] == cause
    assert metrics["latency"]["n"] == ITERATIONS
    assert message == outputs["cause"]
