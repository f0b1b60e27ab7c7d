"""What deploying to a real Prefect server makes there, and what it refuses; no worker is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.deployed import SHORT, deploy
from support.lab import client_server
from support.prefect_lab import ROOT, PrefectLab
from windtunnel.backends.base import longest_seconds
from windtunnel.benchmark import load
from windtunnel.engines.prefect.flow_run_state import AWAY_SECONDS
from windtunnel.engines.prefect.job_template import job_template
from windtunnel.strategies import make_plan

pytestmark = pytest.mark.timeout(600)
full = pytest.mark.full


def change(server: PrefectLab, deployment: dict[str, Any], values: dict[str, Any]) -> None:
    """Change a deployment's one schedule as the UI does."""
    (schedule,) = deployment["schedules"]
    server.ask("PATCH", f"/deployments/{deployment['id']}/schedules/{schedule['id']}", values).raise_for_status()


def schedules(server: PrefectLab, deployment: str) -> set[tuple[str, str, bool]]:
    """Return slug, cron and whether it is active of each of a deployment's schedules."""
    found = server.deployment(deployment)["schedules"]
    return {(item["slug"], item["schedule"]["cron"], item["active"]) for item in found}


def test_a_second_deploy_all_changes_nothing(server: PrefectLab) -> None:
    """Deployments and schedules are those of the first time, and installing again makes no second automation."""

    def state() -> object:
        deployments = server.post("/deployments/filter", {})
        schedules = sorted((d["name"], s["slug"], s["schedule"]["cron"]) for d in deployments for s in d["schedules"])
        automations = sorted(item["name"] for item in server.post("/automations/filter", {}))
        return sorted(d["id"] for d in deployments), schedules, automations

    first = state()
    assert server.call("prefect", "--no-prompt", "deploy", "--all", cwd=ROOT).returncode == 0
    assert server.windtunnel("install", "prefect").returncode == 0

    assert state() == first


def test_deploying_without_a_server_says_what_to_do(tmp_path: Path) -> None:
    """Exit 2 without a server configured, 3 when it does not answer, 2 for a wrong file; the pool is named too."""
    lab = PrefectLab(tmp_path)
    (tmp_path / "alone.toml").write_text(SHORT)
    unreachable = lab.windtunnel("deploy", "alone.toml")
    del lab.env["PREFECT_API_URL"]
    unset = lab.windtunnel("deploy", "alone.toml")
    (tmp_path / "alone.toml").write_text(SHORT.replace("repeats", "repeets"))
    wrong = lab.windtunnel("deploy", "alone.toml")

    assert (unreachable.returncode, "does not answer" in unreachable.stderr) == (3, True)
    assert (unset.returncode, "PREFECT_API_URL" in unset.stderr) == (2, True)
    assert (wrong.returncode, "run.repeets" in wrong.stderr) == (2, True)


def test_a_pool_that_is_not_there_is_named(server: PrefectLab) -> None:
    """Exit 3, and the pools that there are."""
    (server.path / "alone.toml").write_text(SHORT)
    result = server.windtunnel("deploy", "alone.toml", "--pool", "nowhere")

    assert result.returncode == 3
    assert "no work pool 'nowhere' (there are: " in result.stderr
    assert "windtunnel, windtunnel-janitor)" in result.stderr


def test_what_the_server_would_make_silently_is_asked_for(server: PrefectLab) -> None:
    """An unknown queue (it would have no limit), a pool for containers, a reserved name: refused with what to do."""
    (server.path / "alone.toml").write_text(SHORT)
    server.post("/work_pools/", {"name": "boxes", "type": "ecs"})
    queue = server.windtunnel("deploy", "alone.toml", "--queue", "defualt")
    pool = server.windtunnel("deploy", "alone.toml", "--pool", "boxes")
    name = server.windtunnel("deploy", "alone.toml", "--set", "benchmark.name=windtunnel")

    assert (queue.returncode, pool.returncode, name.returncode) == (3, 2, 2)
    assert "no work queue 'defualt' in the pool 'windtunnel'; did you mean 'default'?" in queue.stderr
    assert "prefect work-queue create defualt --pool windtunnel --limit 1" in queue.stderr
    assert "is of type ecs; benchmarks need one of type process or kubernetes" in pool.stderr
    assert "choose another" in name.stderr


@pytest.fixture(scope="module")
def jobs(server: PrefectLab) -> PrefectLab:
    """The server with a pool of Jobs that has our template, ``jobs``, and one that has Prefect's own, ``theirs``."""
    template = job_template(namespace="bench")
    server.post("/work_pools/", {"name": "jobs", "type": "kubernetes", "base_job_template": template})
    assert server.call("prefect", "work-pool", "create", "theirs", "--type", "kubernetes").returncode == 0
    text = client_server().replace('"faulty"', '"boxed"') + '[output]\nstore = "s3://bucket/runs"\n'
    for step in ("server", "client"):
        text = text.replace(f"[{step}]", f'[{step}]\nimage = "bench:1"')
    (server.path / "boxed.toml").write_text(text)
    return server


def test_a_pool_of_jobs_gets_what_the_benchmark_needs(jobs: PrefectLab) -> None:
    """The backend is Kubernetes; a Job has until after the benchmark's timeout; no folder is copied for a run."""
    result = jobs.windtunnel("deploy", "boxed.toml", "--pool", "jobs", "--image", "bench:2", "--json")
    assert result.returncode == 0, result.stderr
    told, made = json.loads(result.stdout), jobs.deployment("client-server/boxed")
    plan = make_plan(load(jobs.path / "boxed.toml").benchmark)

    assert (told["backend"], told["pool_type"], told["store"]) == ("kubernetes", "kubernetes", "s3://bucket/runs")
    assert (made["parameters"]["backend"], made["parameters"]["store"]) == ("kubernetes", "s3://bucket/runs")
    assert made["job_variables"]["image"] == "bench:2"
    assert made["job_variables"]["deadline"] >= longest_seconds(plan) + 660 + AWAY_SECONDS
    assert [list(step) for step in made["pull_steps"]] == [["prefect.deployments.steps.set_working_directory"]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--set", "output.store=runs"), "store runs: a folder of the flow's pod goes with it"),
        (("--pool", "theirs"), "its base job template is not Windtunnel's: command is not windtunnel flow-pod --"),
        *(
            pytest.param(*each, marks=full)
            for each in (
                (("--pool", "windtunnel", "--image", "bench:2"), "--image: work pool 'windtunnel' has processes"),
                (("--pool", "theirs"), "so a flow whose pod is evicted is run again"),
                (("--set", 'inputs=[{src="data.csv",path="data.csv"}]'), "input data.csv: a file of this machine is"),
                (("--folder", "/srv"), "--folder: a pod starts in a folder of its own"),
                (("--backend", "docker", "--set", "output.store=s3://bucket/runs"), "a flow's pod has no Docker"),
                (("--backend", "process"), "volume claims are Kubernetes's"),
                (("--image", "prefecthq/prefect:3-latest"), "the image prefecthq/prefect:3-latest has no Windtunnel"),
                (("--pool", "windtunnel"), "volume claims are Kubernetes's"),
                (("--backend", "kubernets"), "did you mean 'kubernetes'"),
                (("--set", "client.trace=true"), "the kubernetes backend cannot record system calls"),
            )
        ),
    ],
)
def test_what_a_pod_cannot_have_is_refused_before_anything_is_made(
    jobs: PrefectLab, options: tuple[str, ...], words: str
) -> None:
    """Exit 2, with what to do; neither a deployment nor a stored benchmark is there then."""
    named = ("--set", "benchmark.name=refused", "--set", "output.store=pvc://claim/runs")
    result = jobs.windtunnel("deploy", "boxed.toml", "--pool", "jobs", *named, *options)
    found = jobs.post("/deployments/filter", {"deployments": {"name": {"any_": ["refused"]}}})
    blocks = jobs.post("/block_documents/filter", {"block_documents": {"name": {"like_": "refused"}}})

    assert result.returncode == 2, result.stderr
    assert words in result.stderr
    assert (found, blocks) == ([], [])


def test_a_parameter_that_no_flow_has_is_refused_where_it_is_typed(server: PrefectLab) -> None:
    """Prefect itself would take it, and let it crash the run."""
    deployment = deploy(server, "typo", SHORT.replace('"alone"', '"typo"'))
    answer = server.submit(deployment, repeat=3)

    assert answer.status_code == 409
    assert "repeat" in answer.json()["detail"]


def test_a_benchmark_that_changes_its_strategy_is_still_one_deployment(server: PrefectLab) -> None:
    """The former one goes, with its schedule; and what `--set` changed is in the stored benchmark."""
    schedule = ("--set", "run.schedule='0 3 * * *'")
    (server.path / "flip.toml").write_text(SHORT.replace('"alone"', '"flip"'))
    first = server.windtunnel("deploy", "flip.toml", *schedule)
    (server.path / "flip.toml").write_text(client_server().replace('"faulty"', '"flip"'))
    second = server.windtunnel("deploy", "flip.toml", "--repeats", "9", "--json")
    found = server.post("/deployments/filter", {"deployments": {"name": {"any_": ["flip"]}}})
    blocks = server.post(
        "/block_documents/filter", {"include_secrets": True, "block_documents": {"name": {"like_": "flip"}}}
    )

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert [item["id"] for item in found] == [json.loads(second.stdout)["id"]]
    assert "repeats = 9" in blocks[0]["data"]["toml"]


def test_secrets_are_not_shown_by_the_server(server: PrefectLab) -> None:
    """Neither the deployment nor the stored benchmark, as the UI reads them, has the value of a secret variable."""
    (server.path / "keeper.toml").write_text(
        SHORT.replace('"alone"', '"keeper"') + '[client.env]\nTOKEN = "swordfish-1"\n'
    )
    result = server.windtunnel("deploy", "keeper.toml", "--set", "client.env.PASSWORD=swordfish-2")
    deployment = server.deployment("single-node/keeper")
    blocks = server.post("/block_documents/filter", {"block_documents": {"name": {"like_": "keeper"}}})

    assert result.returncode == 0, result.stderr
    assert "swordfish" not in json.dumps([deployment, blocks])


def test_what_somebody_has_set_stays_when_it_is_done_again(server: PrefectLab) -> None:
    """The janitor's schedule, a schedule that is paused, and one that somebody added in the UI."""
    (server.path / "paused.toml").write_text(
        SHORT.replace('"alone"', '"paused"').replace("repeats", 'schedule = "0 3 * * *"\nrepeats')
    )
    assert server.windtunnel("deploy", "paused.toml").returncode == 0
    janitor, paused = server.deployment("reap/janitor"), server.deployment("single-node/paused")
    change(server, janitor, {"schedule": {"cron": "0 * * * *", "timezone": "UTC"}})
    change(server, paused, {"active": False})
    added = {"schedule": {"cron": "30 4 * * *", "timezone": "UTC"}, "slug": "mine"}
    server.ask("POST", f"/deployments/{paused['id']}/schedules", [added]).raise_for_status()
    assert server.windtunnel("install", "prefect").returncode == 0
    assert server.windtunnel("deploy", "paused.toml", "--set", "run.schedule='0 5 * * *'").returncode == 0

    assert schedules(server, "reap/janitor") == {("windtunnel-run", "0 * * * *", True)}
    assert schedules(server, "single-node/paused") == {
        ("windtunnel-run", "0 5 * * *", False),
        ("mine", "30 4 * * *", True),
    }
