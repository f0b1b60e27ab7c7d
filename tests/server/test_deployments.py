"""Deployed to a real Prefect server and run by a real worker, as the UI would ask for it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from support.deployed import SHORT
from support.lab import client_server, single_node
from support.prefect_lab import PrefectLab

pytestmark = pytest.mark.timeout(600)
full = pytest.mark.full


def test_a_run_from_the_form_shows_itself_in_prefect(worker: PrefectLab, known: set[int]) -> None:
    """Named tasks in a chain, name, tags, log, result table, progress, report with plots; then nothing is left."""
    toml = client_server(keys='labels = { team = "caching" }', tables="[run]\nwarmup = 1\nrepeats = 3")
    run = worker.start("client-server/windtunnel", benchmark={"toml": toml})
    flow_run = worker.final(run)
    worker.nothing_new(known)
    record = worker.record(run)

    assert flow_run["state"]["name"] == "Completed"
    assert flow_run["state"]["message"].startswith(f"{record['validity']}: ")
    assert (record["exit_code"], record["engine"]) == (0, "prefect")
    assert flow_run["name"] == record["run_id"]
    assert {"windtunnel-run", "client-server", "benchmark:faulty", "team:caching"} <= set(flow_run["tags"])

    worker.until(lambda: len(worker.about("task_runs", run)) == 7, 30, "all task runs")
    tasks = worker.about("task_runs", run)
    names = [task["name"] for task in tasks]
    assert names == [
        "start server",
        "server is ready",
        "warm-up 1/1",
        "benchmark 1/3",
        "benchmark 2/3",
        "benchmark 3/3",
        "stop server",
    ]
    before = [[item["id"] for item in task["task_inputs"].get("wait_for", [])] for task in tasks]
    assert before == [[], *([task["id"]] for task in tasks[:-1])]

    artifacts = {artifact["key"]: artifact for artifact in worker.about("artifacts", run) if artifact["key"]}
    table = json.loads(artifacts["faulty-result"]["data"])
    assert [row["metric"] for row in table] == ["latency"]
    assert table[0]["mean"] == pytest.approx(record["metrics"]["latency"]["mean"], rel=1e-4)
    assert artifacts["faulty-progress"]["data"] == 100
    assert f"# faulty: {record['validity']}" in artifacts["faulty-report"]["data"]
    assert {"faulty-values", "faulty-timeline"} <= set(artifacts)
    assert all(
        artifact["data"].startswith("data:image/png;base64,")
        for artifact in artifacts.values()
        if artifact["type"] == "image"
    )
    assert (worker.store / record["run_id"] / "report.html").exists()

    worker.until(lambda: "benchmark 3/3: 5 samples" in worker.log(run), 30, "the last iteration in the log")


@pytest.mark.parametrize("kind", ["stored", *(pytest.param(way, marks=full) for way in ("toml", "file", "form"))])
def test_a_benchmark_is_given_in_any_of_four_ways(worker: PrefectLab, kind: str, tmp_path: Path) -> None:
    """As text, as a path, by the name it was stored under, or field by field: the result is the same."""
    file = tmp_path / "alone.toml"
    file.write_text(SHORT)
    sources: dict[str, Any] = {"toml": {"toml": SHORT}, "file": {"file": str(file)}, "stored": {"stored": "alone"}}
    sources["form"] = {
        "benchmark": {"name": "alone", "strategy": "single-node", "labels": {"team": "caching"}},
        "client": {"command": ["sh", "-c", "echo rate=$$((40 + $ITERATION))"], "image": None},
        "server": None,
        "run": {"repeats": 3},
        "metrics": [{"name": "rate", "unit": "1/s", "pattern": "rate=([0-9]+)"}],
    }
    if kind == "stored":
        assert worker.windtunnel("deploy", str(file)).returncode == 0
    run = worker.start("single-node/windtunnel", benchmark=sources[kind])

    assert worker.final(run)["state"]["name"] == "Completed"
    assert worker.record(run)["metrics"]["rate"]["values"] == [41, 42, 43]
    worker.until(lambda: "client.3 | rate=43" in worker.log(run), 30, "the last step's output in the log")


BAD: dict[str, dict[str, Any]] = {
    "repeats": {"repeats": 0},
    "backend": {"backend": "abacus"},
    "benchmark": {"benchmark": {"name": "x"}},
    "strict": {"strict": "yes please"},
    "port": {
        "benchmark": {
            "benchmark": {"name": "x", "strategy": "client-server"},
            "server": {"command": ["true"], "port": 70_000},
            "client": {"command": ["true"]},
        }
    },
}


@pytest.mark.parametrize("case", BAD)
def test_bad_parameters_are_refused_before_there_is_a_run(server: PrefectLab, case: str) -> None:
    """The server answers 409 and names the field."""
    answer = server.submit("client-server/windtunnel", **BAD[case])

    assert answer.status_code == 409
    assert ("benchmark" if case == "port" else case) in answer.json()["detail"]


@pytest.mark.parametrize(
    ("deployment", "parameters", "message"),
    [
        ("single-node/windtunnel", {"benchmark": {"toml": SHORT + "\n[run]\n"}}, "benchmark.toml: not valid TOML"),
        *(
            pytest.param(*case, marks=full)
            for case in (
                ("single-node/windtunnel", {"benchmark": {"stored": "nobody"}}, "no benchmark is stored as 'nobody'"),
                (
                    "single-node/windtunnel",
                    {"benchmark": {"toml": SHORT.replace("repeats", "repeat")}},
                    "run.repeat: unknown key",
                ),
                ("client-server/windtunnel", {"benchmark": {"toml": SHORT}}, "its strategy is single-node"),
                ("single-node/windtunnel", {"benchmark": {"file": "/none.toml"}}, "/none.toml: No such file"),
                ("single-node/windtunnel", {"overrides": ["run.repeets=2"]}, "run.repeets: unknown key"),
                ("single-node/windtunnel", {"store": "/proc/store"}, "cannot keep results in /proc/store"),
            )
        ),
    ],
)
def test_a_wrong_benchmark_is_refused_with_the_reason(
    worker: PrefectLab, deployment: str, parameters: dict[str, Any], message: str
) -> None:
    """The flow run's state is Refused, and its message says where and what."""
    run = worker.start(deployment, **parameters)
    state = worker.final(run)["state"]

    assert (state["type"], state["name"]) == ("FAILED", "Refused")
    assert message in state["message"]


@pytest.mark.parametrize(
    ("command", "tables", "kind", "name", "message"),
    [
        pytest.param("exit 3", "", "FAILED", "Failed", "invalid: client exited with status 3", marks=full),
        pytest.param("sleep 60", "", "FAILED", "TimedOut", "the run took longer than its timeout of 2 s", marks=full),
        ("true", "[[metrics]]\nname = 'x'\npattern = 'x=(1)'", "FAILED", "Invalid", "invalid: "),
        pytest.param("no-such-command", "", "FAILED", "PlatformFailed", "no result: ", marks=full),
    ],
)
def test_the_state_tells_the_verdict_and_the_cause(  # noqa: PLR0917
    worker: PrefectLab, command: str, tables: str, kind: str, name: str, message: str
) -> None:
    """Failed, timed out, invalid and not runnable are four names, and the message is the record's cause."""
    argv = ["sh", "-c", command] if " " in command or command == "true" else [command]
    run = worker.start("single-node/windtunnel", benchmark={"toml": single_node(argv, tables, 'timeout = "2s"')})
    state = worker.final(run)["state"]

    assert (state["type"], state["name"]) == (kind, name)
    assert message in state["message"]
    assert worker.record(run)["cause"]["message"] in state["message"]


def test_a_deployed_schedule_fires_in_its_time_zone(worker: PrefectLab) -> None:
    """A benchmark that is due every minute runs by itself; deployed again without a schedule it does no more."""
    every_minute = SHORT.replace('"alone"', '"minutely"').replace("repeats", 'schedule = "* * * * *"\nrepeats')
    file = worker.path / "minutely.toml"
    file.write_text(every_minute.replace("repeats", 'timezone = "Asia/Kolkata"\nrepeats', 1))
    first = worker.windtunnel("deploy", str(file), "--json")
    second = worker.windtunnel("deploy", str(file), "--set", "run.schedule='0 3 * * *'", "--json")
    told = json.loads(second.stdout)

    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["id"] == told["id"]
    assert told["timezone"] == "Asia/Kolkata"
    assert datetime.fromisoformat(told["next_run"]).strftime("%H:%M%z") == "03:00+0530"
    (schedule,) = worker.deployment("single-node/minutely")["schedules"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("0 3 * * *", "Asia/Kolkata")

    assert worker.windtunnel("deploy", str(file)).returncode == 0
    filters = {"deployments": {"id": {"any_": [told["id"]]}}}

    def fired() -> list[dict[str, Any]]:
        runs = worker.post("/flow_runs/filter", filters)
        return [run for run in runs if run["state_type"] == "COMPLETED" and run["auto_scheduled"]]

    worker.until(fired, 100, "run by schedule")
    file.write_text(SHORT.replace('"alone"', '"minutely"'))
    assert worker.windtunnel("deploy", str(file)).returncode == 0
    assert worker.deployment("single-node/minutely")["schedules"] == []
