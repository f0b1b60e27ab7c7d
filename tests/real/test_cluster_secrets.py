"""Secrets reach a step on a cluster and stand in Secrets alone: all that could be seen is looked through."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from support import argo_lab, kubernetes_lab, marked
from support.argo_lab import Workflow, argo
from support.claims import Claim, volume
from support.kubernetes_lab import kubectl
from support.lab import Lab, Result
from support.secrets import KEPT, full_of_secrets, leaks, leaks_below

pytestmark = [pytest.mark.usefixtures("cluster_empty", "nothing_left"), pytest.mark.timeout(900)]
full = pytest.mark.full
ENCODED = "Authorization: Bearer Zpw_bearer"
"""One that is long enough to be known in base64 from what images and certificates have."""
KINDS, ARGOS = marked.SEEN.split(","), marked.ARGOS.split(",")


def written(result: Result, folder: Path) -> str:
    """Return all that a run wrote, and all that it said."""
    files = (path for path in (folder / "runs").rglob("*") if path.is_file())
    return "\n".join([result.stdout, result.stderr, *(path.read_text(errors="replace") for path in files)])


def digest_in(log: str) -> str:
    """Return what the client printed of what it got."""
    return log.rpartition("digest=")[2].strip()


def host_of(run_id: str, placement: str = "apart") -> str:
    """Return the server's name in a run."""
    return f"server-{kubernetes_lab.salt(run_id)}" if placement == "apart" else "127.0.0.1"


@pytest.mark.parametrize("placement", ["apart", pytest.param("same-pod", marks=full)])
def test_a_run_on_a_cluster_shows_no_secret(lab: Lab, placement: str) -> None:
    """Its pods, their events, its folder and what it says; the client gets each of them unchanged.

    Nor does it show what opens a pod's paths of the hub.
    """
    kubernetes_lab.need_kubernetes()
    text = marked.benchmark(placement=placement)
    with marked.watched("secrets") as secrets, marked.watched(*KINDS) as seen:
        result = lab.run(text, "--backend", "kubernetes", "--set", marked.OVERRIDE)

    assert result.exit_code == 0, result.stderr
    run_id = result.record["run_id"]
    client_log = (lab.only_run() / "logs" / "client.1.log").read_text()
    assert digest_in(client_log) == marked.digest(host_of(run_id, placement))
    assert kubernetes_lab.salt(run_id) in "".join(seen)
    assert not marked.leaks("".join(seen))
    assert not marked.leaks(written(result, lab.path))
    assert result.record["resources"]["left"] == []
    tokens = tokens_in("".join(secrets), run_id)
    assert len(tokens) >= 2 * (2 if placement == "apart" else 1)
    assert not [token for token in tokens if token in "".join(seen) + written(result, lab.path)]


def tokens_in(text: str, run_id: str) -> set[str]:
    """Return the tokens for the hub in what a watch showed of a run's Secrets."""
    found = set()
    for document in yaml.safe_load_all(text):
        name = (document or {}).get("metadata", {}).get("name", "")
        if name.endswith("-arguments") and kubernetes_lab.salt(run_id) in name:
            words = json.loads(base64.b64decode(document["data"]["windtunnel-collector"]))
            found |= {word for word in words if re.fullmatch("[0-9a-f]{64}", word)}
    return found


@pytest.mark.usefixtures("argo")
def test_a_submitted_benchmark_shows_no_secret_and_its_secret_goes_with_it(lab: Lab) -> None:
    """Neither as a parameter nor in what Argo makes of it; `render` refuses."""
    file = str(lab.write(marked.benchmark()))
    with marked.watched(*KINDS, *ARGOS) as seen:
        result = lab.call("submit", file, "--set", marked.OVERRIDE, "--wait", "--json")
    rendered = lab.call("render", file, "--set", "output.store=s3://bucket/x")

    assert result.exit_code == 0, result.stderr
    run_id = result.record["run_id"]
    name = result.stderr.split("submitted ")[1].split()[0]
    client_log = (lab.only_run() / "logs" / "client.1.log").read_text()
    assert digest_in(client_log) == marked.digest(host_of(run_id))
    assert f"secret/{name}-benchmark" in "".join(seen)
    assert not marked.leaks("".join(seen))
    assert not marked.leaks(written(result, lab.path))
    assert rendered.exit_code == 2
    assert "windtunnel submit" in rendered.stderr
    assert not marked.leaks(rendered.stdout + rendered.stderr)
    secret = f"{name}-benchmark"
    assert kubectl("get", "secret", secret, "--output", "name")
    kubectl("delete", "workflow", name)
    Workflow(name).until(lambda: not kubectl("get", "secret", secret, "--ignore-not-found"), "end of its Secret", 60)


@pytest.mark.usefixtures("argo")
@full
@pytest.mark.parametrize("how", [("run", "--backend", "kubernetes"), ("submit", "--wait")], ids=["run", "submit"])
def test_a_client_that_prints_secrets_of_every_kind_shows_them_in_its_own_output_alone(
    lab: Lab, how: tuple[str, ...]
) -> None:
    """What a program prints is its pod's to show; what is kept of it has none."""
    file = lab.write(full_of_secrets("full", image=kubernetes_lab.image()))
    with marked.watched(*KINDS, *ARGOS) as seen:
        result = lab.call(how[0], str(file), *how[1:], "--json")
    file.unlink()

    assert result.exit_code == 0, result.stderr
    assert kubernetes_lab.salt(result.record["run_id"]) in "".join(seen)
    assert leaks("".join(seen)) == marked.leaks("".join(seen), ENCODED) == []
    assert leaks(result.stdout + result.stderr) == leaks_below(lab.path) == []
    assert KEPT in (lab.only_run() / "logs" / "client.1.log").read_text()


@pytest.fixture
def claim(argo: None) -> Iterator[Claim]:
    """A claim that pods reach."""
    del argo
    with volume("777") as found:
        yield found


@pytest.fixture
def secret(lab: Lab) -> Iterator[str]:
    """A Secret with the benchmark and what is changed in it, made as the refusal says."""
    name = f"windtunnel-test-{uuid4().hex[:8]}"
    file = lab.write(marked.benchmark())
    kubectl(
        "create",
        "secret",
        "generic",
        name,
        f"--from-file=benchmark.toml={file}",
        f"--from-literal=set={marked.OVERRIDE}",
    )
    yield name
    kubectl("delete", "secret", name)


def test_a_template_takes_a_benchmark_from_a_secret_and_shows_none(claim: Claim, secret: str) -> None:
    """With Argo's own program; the store has no secret either."""
    named = f"secret/{secret}"
    with (
        marked.watched(*KINDS, *ARGOS) as seen,
        argo_lab.submitted_with({"benchmark": named, "set": named, "store": claim.store}) as workflow,
    ):
        assert workflow.end() == "Succeeded", argo("get", workflow.name).stdout
        logs = argo("logs", workflow.name, "--no-color").stdout
        record = workflow.record

    stored = claim.run(f"cd {claim.folder} && find . -type f -exec cat {{}} +")
    assert digest_in(claim.read(f"{record['run_id']}/logs/client.1.log")) == marked.digest(host_of(record["run_id"]))
    assert not marked.leaks("".join(seen))
    assert not marked.leaks(stored + logs + json.dumps(record))


@pytest.mark.full
@pytest.mark.usefixtures("argo")
def test_a_template_refuses_secrets_that_are_a_parameter() -> None:
    """With the way out, and without repeating them."""
    given = {"benchmark": argo_lab.encoded(marked.benchmark()), "store": "s3://bucket/x"}
    with marked.watched("events", "pods") as seen, argo_lab.submitted_with(given) as workflow:
        assert workflow.end() == "Failed"
        got = argo("get", workflow.name).stdout
        status = json.dumps({**workflow.read()["status"], "storedWorkflowTemplateSpec": None})
        listed = argo("list").stdout

    assert "kubectl create secret generic NAME --from-file=benchmark.toml" in got
    assert "benchmark=secret/NAME" in workflow_line(listed, workflow.name)
    assert marked.MARK not in got + status + listed
    assert marked.MARK not in "".join(seen)


def workflow_line(listed: str, name: str) -> str:
    """Return what `argo list` says of a workflow."""
    (line,) = (line for line in listed.splitlines() if line.startswith(name))
    return line
