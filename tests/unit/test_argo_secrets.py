"""Secrets of a benchmark that Argo runs: in a Secret, never in a parameter. No cluster is asked."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from windtunnel.backends.kubernetes.api import NOT_FOUND, Cluster, Refused
from windtunnel.benchmark import Loaded, parse
from windtunnel.cli.app import app
from windtunnel.engines.argo import parameter_values
from windtunnel.engines.argo.build import Submission, build_workflow
from windtunnel.engines.argo.parameter_values import ParameterText, benchmark_of, check_hidden, overrides_of
from windtunnel.engines.argo.submit import submit
from windtunnel.errors import PlatformError, UsageError, WindtunnelError
from windtunnel.plan import Plan
from windtunnel.strategies import make_plan

MARK = "Zq7Marked4Secret"
PLAIN = """spec_version = "1"
[benchmark]
name = "bench"
strategy = "single-node"
[client]
image = "client:1"
command = ["measure"]
[output]
store = "s3://bucket/x"
"""
WITH_SECRET = f'{PLAIN}[client.env]\nAPI_TOKEN = "{MARK}"\n'
IN_COMMENT = f'{PLAIN}# password = "{MARK}"\n'


def loaded(text: str, overrides: tuple[str, ...] = ()) -> tuple[Loaded, Plan]:
    """Return a benchmark and its plan."""
    found = parse(text, Path("bench.toml"), overrides)
    return found, make_plan(found.benchmark)


def submission(text: str, *overrides: str) -> Submission:
    """Return what is submitted of a benchmark."""
    return build_workflow(*loaded(text, overrides), overrides)


def shows(made: dict[str, Any]) -> bool:
    """Tell whether a secret stands in an object, plain or in base64."""
    text = json.dumps(made)
    for blob in (each for each in text.replace("\\", '"').split('"') if len(each) > 40):
        try:
            text += base64.b64decode(blob, validate=True).decode()
        except ValueError:
            continue
    return MARK in text


@pytest.mark.parametrize("schedule", ["", '[run]\nschedule = "0 3 * * *"\n'], ids=["once", "scheduled"])
@pytest.mark.parametrize(
    ("text", "overrides"),
    [(WITH_SECRET, ()), (IN_COMMENT, ()), (PLAIN, (f"client.env.OTHER_TOKEN={MARK}",))],
    ids=["file", "comment", "override"],
)
def test_a_benchmark_with_secrets_is_no_parameter(text: str, overrides: tuple[str, ...], schedule: str) -> None:
    """Its workflow, or its schedule, names the Secret that has it, with all that is changed in it."""
    text += schedule
    found = submission(text, *overrides)
    spec = found.made["spec"]
    given = {each["name"]: each["value"] for each in spec.get("workflowSpec", spec)["arguments"]["parameters"]}

    assert not shows(found.made)
    assert given["benchmark"] == given["set"] == f"secret/{found.made['metadata']['name']}-benchmark"
    assert found.carrier
    assert found.carrier.is_secret
    assert dict(found.carrier.data) == {"benchmark.toml": text.encode(), "set": "\n".join(overrides).encode()}


def test_a_benchmark_without_secrets_is_a_parameter() -> None:
    """And the workflow gets its name from Argo."""
    found = submission(f'{PLAIN}[client.env]\nTOKENIZER = "llama"\n')

    assert found.carrier is None
    assert found.made["metadata"]["generateName"] == "bench-"


def test_render_refuses_to_print_secrets(tmp_path: Path) -> None:
    """Exit 2, and two ways out."""
    file = tmp_path / "bench.toml"
    file.write_text(WITH_SECRET)
    result = CliRunner().invoke(app, ["render", str(file)])

    assert isinstance(result.exception, UsageError)
    assert "windtunnel submit" in result.exception.message
    assert "-p benchmark=secret/NAME" in result.exception.message
    assert MARK not in result.exception.message + result.output


@pytest.mark.parametrize(
    ("benchmark", "lines", "words"),
    [
        (ParameterText(WITH_SECRET), ParameterText(""), "benchmark: it has secrets"),
        (ParameterText(IN_COMMENT), ParameterText(""), "benchmark: it has secrets"),
        (ParameterText(PLAIN), ParameterText(f"client.env.X_TOKEN={MARK}"), "set: it has secrets"),
        (
            ParameterText(WITH_SECRET, is_hidden=True),
            ParameterText(f"client.args={MARK}"),
            "set: it has secrets",
        ),
        (ParameterText(WITH_SECRET, is_hidden=True), ParameterText("run.repeats=3"), ""),
        (ParameterText(PLAIN), ParameterText(f"client.env.X_TOKEN={MARK}", is_hidden=True), ""),
    ],
)
def test_secrets_in_the_clear_are_refused_and_not_repeated(
    benchmark: ParameterText, lines: ParameterText, words: str
) -> None:
    """A template cannot know who gave it what; the words say what to do."""
    redaction = parse(WITH_SECRET, Path("x")).redaction
    if not words:
        check_hidden(benchmark, lines, redaction)
        return
    with pytest.raises(UsageError, match=words) as error:
        check_hidden(benchmark, lines, redaction)
    assert "kubectl create secret generic NAME" in error.value.message
    assert MARK not in error.value.message


class Objects:
    """A cluster that has objects by their paths, and a Secret that comes after some looks."""

    namespace, context = "default", "test"

    def __init__(self, there: dict[str, Any], looks: int = 0, refused: str = "nothing") -> None:
        self.there, self.looks, self.refused = there, looks, refused

    def path(self, kind: str, name: str = "") -> str:
        """Return where an object is."""
        return f"{kind}/{name}"

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, _query: object = None) -> Any:
        """Keep what is made, and give it back."""
        if self.refused in path and method != "GET":
            raise Refused(403, "forbidden")
        if method == "DELETE":
            return self.there.pop(path)
        if body:
            made = body | {"metadata": body["metadata"] | {"uid": "u-1"}}
            self.there[path if method == "APPLY" else f"{path}/{body['metadata']['name']}"] = made
            return made
        self.looks -= 1
        if path not in self.there or self.looks >= 0:
            if "ServiceAccount" in path or (path.startswith("/apis") and path.count("/") < 4):
                return {}
            raise Refused(NOT_FOUND, f'"{path}" not found')
        return self.there[path]

    @property
    def cluster(self) -> Cluster:
        """What the code under test takes it for."""
        return cast("Cluster", self)


def test_the_secret_is_owned_by_what_was_submitted() -> None:
    """It is made when that is there, and goes with it."""
    objects = Objects({})
    name = submit(objects.cluster, submission(WITH_SECRET))
    made = objects.there[f"Secret/{name}-benchmark"]

    (owner,) = made["metadata"]["ownerReferences"]
    assert owner == {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": name, "uid": "u-1"}
    assert base64.b64decode(made["data"]["benchmark.toml"]).decode() == WITH_SECRET


def test_a_workflow_whose_secret_is_refused_is_taken_back() -> None:
    """It would wait for it in vain."""
    objects = Objects({}, refused="Secret")
    with pytest.raises(PlatformError, match="making the Secret with its benchmark"):
        submit(objects.cluster, submission(WITH_SECRET))

    assert objects.there == {}


def test_a_workflow_that_cannot_be_taken_back_hides_no_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told is why it has no Secret; it fails for that by itself."""
    objects = Objects({}, refused="Secret")
    call = objects.call

    def refusing(method: str, *arguments: Any) -> Any:
        if method == "DELETE":
            raise Refused(403, "no right to delete")
        return call(method, *arguments)

    monkeypatch.setattr(objects, "call", refusing)
    with pytest.raises(PlatformError, match="making the Secret with its benchmark"):
        submit(objects.cluster, submission(WITH_SECRET))


def test_a_parameter_names_an_object_that_may_come_a_little_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who submits makes the workflow first."""
    monkeypatch.setattr(parameter_values, "_LOOK_SECONDS", 0)
    data = {"benchmark.toml": base64.b64encode(WITH_SECRET.encode()).decode(), "set": ""}
    objects = Objects({"Secret/bench": {"data": data}, "ConfigMap/bench": {"data": {"benchmark.toml": PLAIN}}}, looks=2)

    assert benchmark_of("secret/bench", objects.cluster) == ParameterText(WITH_SECRET, is_hidden=True)
    assert overrides_of("secret/bench", objects.cluster) == ParameterText("", is_hidden=True)
    assert benchmark_of("configmap/bench", objects.cluster) == ParameterText(PLAIN)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("secret/none", 'set: secret/none: "Secret/none" not found'),
        ("configmap/bench", "set: configmap/bench has no key set .it has: a, b."),
    ],
)
def test_an_object_that_is_not_there_or_has_no_such_key_is_refused(
    monkeypatch: pytest.MonkeyPatch, given: str, words: str
) -> None:
    """With what there is."""
    monkeypatch.setattr(parameter_values, "_SOON_SECONDS", 0)
    objects = Objects({"ConfigMap/bench": {"data": {"b": "", "a": ""}}})
    with pytest.raises(WindtunnelError, match=words):
        overrides_of(given, objects.cluster)
