"""What a backend would make of a plan: the units of a run, without secrets, the same each time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from windtunnel.backends import BACKENDS, make_backend
from windtunnel.backends.platform import Task
from windtunnel.backends.preview import Draft, Preview, preview_plan
from windtunnel.backends.recording import RecordingBackend, RecordingPlatform
from windtunnel.backends.support import check_support
from windtunnel.backends.unit import Unit
from windtunnel.benchmark import parse
from windtunnel.plan import Plan
from windtunnel.run.record import RunRecord
from windtunnel.secrets import Redaction
from windtunnel.strategies import make_plan

SECRETS = ("swordfish-1", "pw2", "swordfish-3", "hunter22", "swordfish-5")
TEXT = """
spec_version = "1"
[benchmark]
name = "many"
strategy = "client-server"
[servers.web]
image = "web:1"
command = ["serve", "--password", "swordfish-1", "$PORT"]
port = 0
env = { API_TOKEN = "pw2", PLAIN = "y" }
files = { "a.conf" = "password = swordfish-3\\n", "b.txt" = "$WEB_URL" }
ready = { exec = ["ask", "--token", "swordfish-5"] }
[servers.cache]
image = "cache:1"
command = ["cache", "$WEB_HOST"]
port = 6000
[client]
image = "client:1"
command = ["measure", "$WEB_URL", "$CACHE_PORT", "$ITERATION"]
requirements = ["numpy>=2"]
[[inputs]]
src = "https://me:hunter22@example.org/d"
path = "data/d"
[run]
warmup = 1
repeats = 2
"""
OPEN = """
spec_version = "1"
[benchmark]
name = "open"
strategy = "client-server"
[servers.web]
command = ["serve", "$PORT"]
port = 0
files = {{ "b.txt" = "$WEB_URL $WINDTUNNEL_WORK" }}
[servers.cache]
command = ["cache", "$WEB_HOST"]
port = 6000
[client]
command = ["measure", "$WEB_URL", "$CACHE_PORT", "$ITERATION"]
env = {{ WEB = "$WEB_URL" }}
[run]
{run}
"""


def loaded(text: str = TEXT) -> tuple[Plan, Redaction]:
    """Return a benchmark's plan, and what is secret in it."""
    found = parse(text, Path("b.toml"))
    return make_plan(found.benchmark), found.redaction


def preview(backend: str, text: str = TEXT) -> Preview:
    """Return what a backend would make of a benchmark."""
    plan, redaction = loaded(text)
    made = make_backend(backend)
    check_support(plan, made)
    return preview_plan(plan, made, redaction)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_preview_has_no_secret(backend: str) -> None:
    """Neither in variables, words, files, nor addresses; it says where one would be."""
    text = json.dumps([preview(backend).documents, preview(backend).notes])

    assert [secret for secret in SECRETS if secret in text] == []
    assert "[redacted]" in text
    assert "PLAIN" in text


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_preview_is_the_same_each_time(backend: str) -> None:
    """What stands for ports, names, times and tokens does not change."""
    assert preview(backend) == preview(backend)
    (port,) = [note.split()[0] for note in preview(backend).notes if "the port of web, any free one" in note]
    assert f":{port}" in json.dumps(preview(backend).documents)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_preview_has_every_step_and_says_how_often_a_job_starts(backend: str) -> None:
    """An iteration is shown once."""
    made = preview(backend)
    text = json.dumps(made.documents)

    assert all(command in text for command in ("serve", "cache", "measure"))
    assert "client is shown once, and starts 3 times" in made.notes
    assert '"ITERATION": "2"' not in text


@pytest.mark.parametrize("tables", ["", "fresh = true"])
def test_a_preview_has_the_units_that_a_run_starts(
    run_recorded: Callable[..., RunRecord], monkeypatch: pytest.MonkeyPatch, tables: str
) -> None:
    """Command, environment, files and order are those of the run's first iteration."""
    text = OPEN.format(run=f"repeats = 1\n{tables}")
    started: list[Unit] = []
    start = RecordingPlatform.start

    def kept(platform: RecordingPlatform, units: Sequence[Unit]) -> Sequence[Task]:
        started.extend(units)
        return start(platform, units)

    monkeypatch.setattr(RecordingPlatform, "start", kept)
    run_recorded(text, RecordingBackend())
    sites = {unit.label: unit.site for unit in started}
    plan, redaction = loaded(text)
    draft = Draft(plan, redaction)
    shown = [unit for units in draft.starts(lambda launch: sites[launch.label], lambda _step: None) for unit in units]

    def told(units: Sequence[Unit]) -> list[tuple[object, ...]]:
        # Also in the same order.
        return [(each.label, each.argv, list(each.env.items()), each.files, each.values) for each in units]

    assert told(shown) == told(started)
    assert len(shown) == 3


@pytest.mark.parametrize("backend", ["docker", "kubernetes"])
def test_each_replica_is_shown(backend: str) -> None:
    """Under a name of its own."""
    text = json.dumps(preview(backend, TEXT.replace("port = 6000", "port = 6000\nreplicas = 3")).documents)
    assert text.count("replica-2") >= 1
    assert text.count("replica-3") >= 1
    assert "replica-4" not in text


def test_what_kubernetes_hides_of_a_pod_is_in_its_secret() -> None:
    """A pod refers to it, though the Secret's own values are not shown."""
    documents = preview(
        "kubernetes", TEXT.replace('ready = { exec = ["ask", "--token", "swordfish-5"] }\n', "")
    ).documents
    (web,) = [each for each in documents if each["kind"] == "Pod" and each["metadata"]["name"].startswith("web-")]
    (secret,) = [each for each in documents if "variable-0" in each.get("stringData", {})]
    variables = {each["name"]: each for each in web["spec"]["containers"][0]["env"]}

    assert variables["API_TOKEN"]["valueFrom"]["secretKeyRef"] == {
        "name": secret["metadata"]["name"],
        "key": "variable-0",
    }
    assert secret["stringData"]["variable-0"] == "[redacted]"
