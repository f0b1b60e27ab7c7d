"""A flow run is retried from the UI: it measures anew, and tells nothing of its first time."""

from __future__ import annotations

from typing import Any

import pytest

from support.lab import single_node
from support.prefect_lab import PrefectLab

pytestmark = [pytest.mark.timeout(600), pytest.mark.full]


def retry(server: PrefectLab, run: str, known: set[int]) -> dict[str, Any]:
    """Retry a flow run once its process has ended, and return how it ends."""
    server.nothing_new(known, 60)
    server.post(f"/flow_runs/{run}/set_state", {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": True})
    return server.final(run)


def test_a_retry_measures_anew(worker: PrefectLab, known: set[int]) -> None:
    """It is a run of its own in a folder of its own, with its own verdict and numbers; the first one's stay."""
    count = worker.path / "count"
    script = f"echo x >>{count}; n=$$(wc -l <{count}); echo rate=$$n; [ $$n = 2 ]"
    text = single_node(["sh", "-c", script], "[[metrics]]\nname = 'rate'\npattern = 'rate=([0-9]+)'")
    run = worker.start("single-node/windtunnel", benchmark={"toml": text})
    assert worker.final(run)["state"]["name"] == "Failed"
    first = worker.record(run)
    second = retry(worker, run, known)

    assert (second["state"]["name"], second["run_count"]) == ("Completed", 2)
    assert worker.record(run)["metrics"]["rate"]["values"] == [2]
    assert worker.record(run)["run_id"] != first["run_id"]
    assert first["metrics"]["rate"]["values"] == [1]


def test_a_run_that_was_refused_for_its_secret_is_refused_again(worker: PrefectLab, known: set[int]) -> None:
    """What stands in the secret's place is not measured with."""
    run = worker.start("single-node/windtunnel", overrides=["client.env.TOKEN=swordfish"])
    assert worker.final(run)["state"]["name"] == "Refused"
    state = retry(worker, run, known)["state"]

    assert state["name"] == "Refused"
    assert "client.env.TOKEN: a secret was taken out here" in state["message"]
