"""Argo's own program, used as its users do: on templates, on workflows of theirs, and on schedules."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from cluster import docker as nodes
from support.argo_lab import TEMPLATES, Workflow, argo, encoded, submitted, submitted_with
from support.claims import volume
from support.docker_lab import client_server, single_node
from support.kubernetes_lab import kubectl
from support.lab import Lab
from support.s3_lab import BUCKET, S3Lab, s3_server

pytestmark = [pytest.mark.usefixtures("nothing_left", "argo"), pytest.mark.timeout(900)]

KEPT = "windtunnel-kept"
RATE = '[[metrics]]\nname = "rate"\npattern = "rate=(.)"'


@pytest.fixture
def store() -> Iterator[str]:
    """A store that pods reach."""
    with volume("777") as claim:
        yield claim.store


@contextmanager
def s3_for_pods(folder: Path, secret: str) -> Iterator[S3Lab]:
    """Have an S3 server that pods reach, and a Secret with its credentials."""
    # Nodes of the test cluster alone are known to reach this machine; other clusters have no folders for claims either.
    with volume("777"), s3_server(folder, nodes.gateway()) as server:
        literals = [f"--from-literal={name}={value}" for name, value in server.env.items()]
        kubectl("create", "secret", "generic", secret, *literals)
        try:
            yield server
        finally:
            kubectl("delete", "secret", secret)


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Lab]:
    """An S3 server whose credentials are in the Secret that drivers look for."""
    with s3_for_pods(tmp_path / "s3", "windtunnel-s3") as server:
        yield server


@pytest.mark.full
def test_the_report_is_an_artifact_where_argo_keeps_artifacts(lab: Lab, store: str, tmp_path: Path) -> None:
    """In the repository that the workflow names; its place is among the workflow's outputs."""
    rendered = lab.call("render", str(lab.write(client_server())), "--set", f"output.store={store}")
    workflow = yaml.safe_load(rendered.stdout)
    workflow["spec"]["artifactRepositoryRef"] = {"configMap": KEPT, "key": "kept"}
    keys = {"accessKeySecret": "AWS_ACCESS_KEY_ID", "secretKeySecret": "AWS_SECRET_ACCESS_KEY"}
    with s3_for_pods(tmp_path / "s3", KEPT) as s3:
        endpoint = s3.env["AWS_ENDPOINT_URL_S3"].removeprefix("http://")
        credentials = {name: {"name": KEPT, "key": key} for name, key in keys.items()}
        repository = {"s3": {"bucket": BUCKET, "endpoint": endpoint, "insecure": True, **credentials}}
        kubectl("create", "configmap", KEPT, f"--from-literal=kept={json.dumps(repository)}")
        try:
            name = kubectl("create", "--filename", "-", "--output", "name", text=json.dumps(workflow)).strip()
            made = Workflow(name.rpartition("/")[2])
            assert made.end() == "Succeeded"
            (artifact,) = made.read()["status"]["outputs"]["artifacts"]
            kubectl("delete", name, "--wait=false")
        finally:
            kubectl("delete", "configmap", KEPT)
        assert artifact["name"] == "report"
        assert b"<html" in s3.read(artifact["s3"]["key"])


def test_the_templates_pass_argos_own_check() -> None:
    """Without a cluster: references and variables of all of them."""
    done = argo("lint", "--offline", *map(str, sorted(TEMPLATES.glob("*.yaml"))))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "no linting errors found" in done.stdout


def test_a_run_from_a_template_is_looked_at_and_comes_home_through_s3(lab: Lab, s3: S3Lab) -> None:
    """`get` has acts and verdict, labels select by it; when its pods are gone, `show` has what was measured."""
    text, store = client_server(tables="[run]\nrepeats = 2\n"), f"s3://{BUCKET}/nightly"
    with submitted(text, store, "--parameter", "set=run.repeats=3", "--wait") as workflow:
        logs = argo("logs", workflow.name, "--no-color")
        got = json.loads(argo("get", workflow.name, "--output", "json").stdout)
        tree = argo("get", workflow.name, "--no-color").stdout
        ready = workflow.acts()[1]

    # What Argo still has after podGC is what it was told.
    assert logs.returncode == 0
    assert got["status"]["phase"] == "Succeeded"
    outputs = {each["name"]: each["value"] for each in got["status"]["outputs"]["parameters"]}
    assert outputs["validity"] in {"valid", "suspect"}
    assert outputs["exit-code"] == "0"
    assert json.loads(outputs["metrics"])["latency"]["n"] == 3
    acts = ["start server", "server is ready", *(f"benchmark {number}/3" for number in (1, 2, 3)), "stop server"]
    assert [line.partition("✔ ")[2].strip() for line in tree.splitlines() if line.strip().endswith(tuple(acts))] == acts
    assert [each["name"] for each in ready["outputs"]["parameters"]] == ["address", "seconds"]
    nodes = got["status"]["nodes"].values()
    (told,) = (node for node in nodes if node.get("templateName") == "drive")
    assert outputs == {each["name"]: each["value"] for each in told["outputs"]["parameters"]}
    assert [node["type"] for node in nodes if node["displayName"] == "finish"] == ["Skipped"]
    labels = got["metadata"]["labels"]
    assert labels["windtunnel.dev/validity"] == outputs["validity"]
    assert labels["windtunnel.dev/run"] == outputs["run"]
    record = json.loads(got["metadata"]["annotations"]["windtunnel.dev/record"])
    assert record["upload"]["complete"] is True

    lab.env |= s3.env
    shown = json.loads(lab.call("show", record["run_id"], "--store", store, "--json").stdout)
    assert shown["metrics"] == record["metrics"]
    assert shown["metrics"]["latency"]["n"] == 3
    assert f"nightly/{record['run_id']}/logs/client.1.log" in s3.objects("nightly")


@pytest.mark.full
def test_logs_have_the_clients_output_while_it_runs(store: str) -> None:
    """The client is a container of Argo's: its output is there as it comes."""
    text = single_node(["sh", "-c", "echo rate=1; echo from the client; sleep 8"], RATE)
    with submitted(text, store, template="single-node") as workflow:
        workflow.meanwhile(lambda: "from the client" in argo("logs", workflow.name).stdout, "output")
        assert workflow.end() == "Succeeded"


@pytest.mark.full
def test_a_template_refuses_what_is_wrong_before_anything_is_made(store: str) -> None:
    """Exit 2 in words, from a benchmark of another strategy; and nothing was made."""
    text = single_node(["true"])
    with submitted(text, store) as workflow:
        workflow.until(lambda: workflow.nodes("plan") and workflow.nodes("plan")[0]["phase"] == "Failed", "refusal")
        words = argo("logs", workflow.name, "--no-color").stdout
        assert workflow.end() == "Failed"

    assert "its strategy is single-node; this is the template client-server" in words


def test_a_refusal_stands_where_argo_shows_messages() -> None:
    """In `argo get` at each part that it ended, in `argo list`, and as an output; nothing is said of how it stopped."""
    words = "bad_call: store runs: a folder of this pod's goes with it; give s3://bucket/prefix"
    with submitted_with({"benchmark": encoded(client_server())}) as workflow:
        assert workflow.end() == "Failed"
        got, listed = argo("get", workflow.name).stdout, argo("list").stdout
        cause, (client,) = workflow.outputs["cause"], workflow.nodes("client")

    assert cause.startswith(words)
    assert client["finishedAt"]
    (line,) = (line for line in listed.splitlines() if line.startswith(workflow.name))
    assert words in line
    for part in ("drive", "client(0:1)", "finish"):
        assert any(words in line for line in got.splitlines() if f" {part}" in line or ".onExit" in line), got
    assert "Stopped with strategy" not in got + line


def test_resubmit_runs_it_again_and_retry_says_so(store: str) -> None:
    """A run that is over has no servers: `retry` fails with what to do instead, and that works."""
    with submitted(client_server(client="--fail-in 1"), store) as workflow:
        assert workflow.end() == "Failed"
        retried = argo("retry", workflow.name)
        assert retried.returncode == 0, retried.stderr
        time.sleep(2)
        workflow.until(lambda: "use argo resubmit" in argo("logs", workflow.name).stdout, "advice", 60)
        assert workflow.end() == "Failed"
        again = argo("resubmit", workflow.name, "--output", "name")
        assert again.returncode == 0, again.stderr
        second = Workflow(again.stdout.strip())
        try:
            assert second.end() == "Failed"
            assert second.record["exit_code"] == 1
            assert second.record["run_id"] != workflow.run_id()
            assert not second.left()
        finally:
            kubectl("delete", "workflow", second.name, "--wait=false")


@pytest.mark.full
def test_a_memoized_resubmission_is_refused(store: str) -> None:
    """It has iterations of the old run, whose pods its driver would wait for in vain."""
    with submitted(client_server(client="--fail-in 2", tables="[run]\nrepeats = 2\n"), store) as workflow:
        assert workflow.end() == "Failed"
        again = argo("resubmit", "--memoized", workflow.name, "--output", "name")
        assert again.returncode == 0, again.stderr
        second = Workflow(again.stdout.strip())
        try:
            assert second.end() == "Failed"
            assert "argo resubmit` without --memoized" in second.outputs["cause"]
            assert (second.outputs["exit-code"], second.left()) == ("2", set())
        finally:
            kubectl("delete", "workflow", second.name, "--wait=false")


def test_a_schedule_fires_is_suspended_and_made_by_either_program(lab: Lab, store: str) -> None:
    """`submit` of a benchmark with a schedule, and `argo cron create` of what `render` prints, make the same."""
    schedule = f'schedule = "* * * * *"\ntimezone = "Europe/Paris"\n[output]\nstore = "{store}"\n'
    text = single_node(["sh", "-c", "echo rate=7"], f"{RATE}\n[run]\n{schedule}")
    file = lab.write(text.replace('name = "alone"', 'name = "argo-nightly"'))
    try:
        submitted_cron = lab.call("submit", str(file), "--json")
        assert submitted_cron.exit_code == 0, submitted_cron.stderr
        rendered = lab.call("render", str(file)).stdout
        made = yaml.safe_load(rendered)
        assert made["kind"] == "CronWorkflow"
        there = json.loads(kubectl("get", "cronworkflow", "argo-nightly", "--output", "json"))
        assert there["spec"]["schedules"] == ["* * * * *"]
        assert there["spec"]["timezone"] == "Europe/Paris"
        assert there["spec"]["concurrencyPolicy"] == "Forbid"
        selector = ("--selector", "workflows.argoproj.io/cron-workflow=argo-nightly", "--output", "json")

        def fired() -> list[Workflow]:
            items = json.loads(kubectl("get", "workflows", *selector))["items"]
            return [Workflow(item["metadata"]["name"]) for item in items]

        Workflow("argo-nightly").until(fired, "firing", 100)
        assert argo("cron", "suspend", "argo-nightly").returncode == 0
        first = fired()[0]
        assert first.end() == "Succeeded"
        assert first.record["metrics"]["rate"]["values"] == [7]
        kubectl("delete", "cronworkflow", "argo-nightly", "--wait=false")
        lab.write(rendered, "cron.yaml")
        created = argo("cron", "create", str(lab.path / "cron.yaml"))
        assert created.returncode == 0, created.stderr
    finally:
        kubectl("delete", "cronworkflow", "argo-nightly", "--ignore-not-found", "--wait=false")
        kubectl("delete", "workflows", "--selector", "workflows.argoproj.io/cron-workflow=argo-nightly", "--wait=false")


def test_submit_without_waiting_wants_a_store(lab: Lab) -> None:
    """Exit 2, and what to do, before anything is submitted."""
    result = lab.call("submit", str(lab.write(client_server())))

    assert result.exit_code == 2
    assert "--wait" in result.stderr
    assert "s3://" in result.stderr
