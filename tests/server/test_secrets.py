"""No secret of a benchmark is kept by a Prefect server where somebody who looks at it would see it."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from support.prefect_lab import PrefectLab
from support.secrets import MARK, full_of_secrets, leaks, leaks_below

pytestmark = pytest.mark.timeout(600)
full = pytest.mark.full


def shown(server: PrefectLab, run: str) -> str:
    """Return all that the server shows of a flow run, and all of its blocks and deployments."""
    about = [server.about(kind, run) for kind in ("task_runs", "logs", "artifacts")]
    states = server.ask("GET", f"/flow_run_states/?flow_run_id={run}").raise_for_status().json()
    blocks = server.post("/block_documents/filter", {})
    return json.dumps([server.flow_run(run), states, *about, blocks, server.post("/deployments/filter", {})], indent=1)


def database(server: PrefectLab) -> str:
    """Return all that the server's database holds, as text."""
    (file,) = (server.path / "prefect").glob("prefect.db")
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=60) as connection:
        return "\n".join(connection.iterdump())


@pytest.mark.parametrize("way", ["stored", pytest.param("secret", marks=full)])
def test_a_run_with_secrets_shows_none(worker: PrefectLab, way: str) -> None:
    """Stored by `deploy`, or in a Secret block: run, states, tasks, log and artifacts have none, nor has its folder."""
    text = full_of_secrets("full", end=0 if way == "stored" else 3)
    if way == "stored":
        file = worker.path / "full.toml"
        file.write_text(text)
        deployed = worker.windtunnel("deploy", str(file), "--set", f"client.env.OTHER_TOKEN={MARK}_set", "--json")
        file.unlink()
        assert deployed.returncode == 0, deployed.stderr
        assert leaks(deployed.stdout + deployed.stderr) == []
        run = worker.start("single-node/full")
    else:
        worker.call("python", "-c", f"from prefect.blocks.system import Secret; Secret(value={text!r}).save('mine')")
        run = worker.start("single-node/windtunnel", benchmark="secret/mine")
    state = worker.final(run)["state"]

    assert state["name"] == ("Completed" if way == "stored" else "Failed"), state
    worker.until(lambda: any("last words: " in line for line in worker.log(run)), 30, "the client's last words")
    assert leaks(shown(worker, run)) == []
    assert leaks(database(worker)) == []
    assert leaks_below(worker.store / worker.record(run)["run_id"]) == []


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"benchmark": {"toml": full_of_secrets("full")}}, id="text"),
        pytest.param({"overrides": [f"client.env.API_TOKEN={MARK}_set"]}, id="override", marks=full),
        pytest.param(
            {
                "benchmark": {
                    "benchmark": {"name": "x", "strategy": "single-node"},
                    "client": {"command": ["true"], "env": {"PASS": f"{MARK}_form"}},
                }
            },
            id="form",
            marks=full,
        ),
    ],
)
def test_a_secret_among_parameters_is_refused_and_taken_out(worker: PrefectLab, given: dict[str, Any]) -> None:
    """The state says why and what to do, and neither it nor the parameters have the secret any more."""
    run = worker.start("single-node/windtunnel", **given)
    state = worker.final(run)["state"]

    assert (state["type"], state["name"]) == ("FAILED", "Refused")
    assert 'benchmark = "secret/NAME"' in state["message"]
    assert leaks(shown(worker, run)) == []


@full
def test_a_wrong_form_does_not_repeat_what_is_secret(worker: PrefectLab) -> None:
    """What only a worker can find wrong is told with its key, in our words."""
    form = {
        "benchmark": {"name": "x", "strategy": "single-node"},
        "client": {"command": ["true"]},
        "metrics": [{"name": "x", "pattern": "no group"}],
    }
    run = worker.start("single-node/windtunnel", benchmark=form)
    state = worker.final(run)["state"]

    assert (state["type"], state["name"]) == ("FAILED", "Refused")
    assert "metrics[0].pattern: 'no group' has no group" in state["message"]
