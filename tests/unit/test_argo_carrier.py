"""What a workflow has of its user's machine goes in an object of the cluster; what is too much for one is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from typer.testing import CliRunner

from windtunnel.backends.kubernetes.api import Cluster, Refused
from windtunnel.benchmark import load
from windtunnel.cli.app import app
from windtunnel.engines.argo import carrier, parameter_values
from windtunnel.engines.argo.build import Submission, build_workflow
from windtunnel.engines.argo.carrier import MOST_BYTES, adopt, check_given, place_inputs
from windtunnel.engines.argo.submit import submit
from windtunnel.errors import PlatformError, UsageError
from windtunnel.plan import Plan
from windtunnel.secrets import Redaction
from windtunnel.strategies import make_plan

BYTES = bytes(range(256))
TEXT = """spec_version = "1"
[benchmark]
name = "bench"
strategy = "single-node"
[client]
image = "client:1"
command = ["measure"]
[[inputs]]
src = "https://example.org/first"
path = "first"
[[inputs]]
src = "second.bin"
path = "data/second"
[output]
store = "s3://bucket/x"
"""


def written(folder: Path, content: bytes = BYTES, more: str = "") -> Path:
    """Write a benchmark with a local input and return its file."""
    (folder / "second.bin").write_bytes(content)
    file = folder / "bench.toml"
    file.write_text(TEXT + more)
    return file


def submission(file: Path) -> Submission:
    """Return what is submitted of a benchmark."""
    loaded = load(file)
    return build_workflow(loaded, make_plan(loaded.benchmark))


def plan_of(file: Path) -> Plan:
    """Return a benchmark's plan."""
    return make_plan(load(file).benchmark)


def given(made: dict[str, Any]) -> dict[str, str]:
    """Return the parameters of a workflow or a schedule."""
    spec = made["spec"].get("workflowSpec", made["spec"])
    return {each["name"]: each["value"] for each in spec["arguments"]["parameters"]}


class Objects:
    """A cluster with objects by their paths, which keeps what it is asked to change."""

    namespace, context = "default", "test"

    def __init__(self, **there: dict[str, Any]) -> None:
        self.there, self.changed = there, dict[str, Any]()

    def path(self, kind: str, name: str = "") -> str:
        """Return where an object is."""
        return f"{kind}/{name}"

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, _query: object = None) -> Any:
        """Keep what is made or changed."""
        if method == "GET":
            return self.there.get(path.partition("/")[2], {})
        self.changed[f"{method} {path}"] = body
        return (body or {}) | {"metadata": (body or {}).get("metadata", {}) | {"uid": "u-1"}}

    @property
    def cluster(self) -> Cluster:
        """What the code under test takes it for."""
        return cast("Cluster", self)


@pytest.mark.parametrize("schedule", ["", '[run]\nschedule = "0 3 * * *"\n'], ids=["once", "scheduled"])
def test_a_local_input_goes_in_a_configmap_of_the_workflow(tmp_path: Path, schedule: str) -> None:
    """Byte for byte, under its number among the inputs; the benchmark itself stays a parameter."""
    found = submission(written(tmp_path, more=schedule))
    name = found.made["metadata"]["name"]
    objects = Objects()
    submit(objects.cluster, found)
    made = objects.changed[f"APPLY ConfigMap/{name}-benchmark"]

    assert given(found.made)["inputs"] == f"configmap/{name}-benchmark"
    assert base64.b64decode(given(found.made)["benchmark"]).decode() == TEXT + schedule
    assert {key: base64.b64decode(text) for key, text in made["binaryData"].items()} == {"input-2": BYTES}
    (owner,) = made["metadata"]["ownerReferences"]
    assert owner == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "CronWorkflow" if schedule else "Workflow",
        "name": name,
        "uid": "u-1",
    }


def test_a_benchmark_that_is_too_long_for_a_parameter_goes_there_too(tmp_path: Path) -> None:
    """Long files of steps are in it."""
    file = written(tmp_path, more=f'[client.files]\nlong = "{"x" * 100_000}"\n')
    found = submission(file)

    assert given(found.made)["benchmark"] == given(found.made)["set"] == given(found.made)["inputs"]
    assert found.carrier
    assert not found.carrier.is_secret
    assert found.carrier.data.keys() == {"input-2", "benchmark.toml", "set"}
    assert found.carrier.data["benchmark.toml"] == file.read_bytes()
    assert len(json.dumps(found.made)) < 100_000


@pytest.mark.parametrize(
    ("content", "is_secret"),
    [(b"password = Zq7Marked4Secret\n", True), (b"\xff\xfe password of nobody", False), (BYTES, False)],
)
def test_an_input_that_has_secrets_goes_in_a_secret(tmp_path: Path, content: bytes, is_secret: bool) -> None:  # noqa: FBT001
    """And the benchmark with it; all may read ConfigMaps."""
    found = submission(written(tmp_path, content))

    assert found.carrier
    assert found.carrier.is_secret is is_secret
    assert given(found.made)["inputs"].startswith("secret/" if is_secret else "configmap/")
    if is_secret:
        result = CliRunner().invoke(app, ["render", str(tmp_path / "bench.toml")])
        assert isinstance(result.exception, UsageError)
        assert "has secrets, which would be printed" in result.exception.message


@pytest.mark.parametrize("command", ["render", "submit"])
def test_more_than_a_configmap_holds_is_refused(tmp_path: Path, command: str) -> None:
    """Exit 2, with the sizes, the limit and what to do, before anything is read or made."""
    file = written(tmp_path, b"x" * (MOST_BYTES + 1))
    result = CliRunner().invoke(app, [command, str(file)])

    assert isinstance(result.exception, UsageError)
    assert f"second.bin ({MOST_BYTES + 1} bytes): {MOST_BYTES + 1} bytes" in result.exception.message
    assert f"{MOST_BYTES} at most" in result.exception.message
    assert "s3://bucket/key" in result.exception.message


def test_an_input_and_a_long_benchmark_are_too_much_together(tmp_path: Path) -> None:
    """What counts is all that one object holds."""
    written(tmp_path, b"x" * (MOST_BYTES - 50_000), more=f'[client.files]\nlong = "{"x" * 100_000}"\n')
    with pytest.raises(UsageError, match=r"second.bin .* benchmark.toml .* at most"):
        submission(tmp_path / "bench.toml")


@pytest.mark.parametrize(
    ("sha256", "code"), [("", "input_unavailable"), ("0" * 64, "input_mismatch")], ids=["missing", "changed"]
)
def test_an_input_that_cannot_be_had_is_told_before_anything_is_made(tmp_path: Path, sha256: str, code: str) -> None:
    """By the code that a run on this machine ends with."""
    file = written(tmp_path)
    if sha256:
        file.write_text(TEXT.replace('"data/second"\n', f'"data/second"\nsha256 = "{sha256}"\n'))
    else:
        (tmp_path / "second.bin").unlink()
    with pytest.raises(PlatformError) as error:
        submission(file)
    assert error.value.code == code


def test_render_shows_the_configmap_before_the_workflow(tmp_path: Path) -> None:
    """As documents that `kubectl create` takes; JSON is a List."""
    file = str(written(tmp_path))
    shown = CliRunner().invoke(app, ["render", file])
    listed = CliRunner().invoke(app, ["render", file, "--json"])

    carried, made = yaml.safe_load_all(shown.stdout)
    assert (carried["kind"], made["kind"]) == ("ConfigMap", "Workflow")
    assert base64.b64decode(carried["binaryData"]["input-2"]) == BYTES
    assert given(made)["inputs"] == f"configmap/{carried['metadata']['name']}"
    items = json.loads(listed.stdout)
    assert (items["kind"], [each["kind"] for each in items["items"]]) == ("List", ["ConfigMap", "Workflow"])


def test_a_rendered_configmap_is_made_the_workflows(tmp_path: Path) -> None:
    """By the driver, since the workflow has a uid only once it is there; who may not do it does without."""
    del tmp_path
    workflow = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w", "uid": "u-9"}}
    objects = Objects()
    adopt(objects.cluster, workflow)
    (owner,) = objects.changed["PATCH ConfigMap/w-benchmark"]["metadata"]["ownerReferences"]

    assert owner == {"apiVersion": workflow["apiVersion"], "kind": "Workflow", "name": "w", "uid": "u-9"}

    class Strict(Objects):
        def call(self, *_arguments: Any) -> Any:
            raise Refused(403, "forbidden")

    adopt(Strict().cluster, workflow)


def test_a_template_says_how_to_give_it_the_files_that_it_lacks(tmp_path: Path) -> None:
    """With the commands, and the keys that it looks for."""
    with pytest.raises(UsageError, match=r"create configmap NAME --from-file=input-2=second\.bin`, and give inputs="):
        check_given(plan_of(written(tmp_path)), "")


@pytest.mark.parametrize(
    ("held", "named"),
    [
        ({"binaryData": {"input-2": base64.b64encode(BYTES).decode()}}, "configmap/files"),
        ({"data": {"input-2": "text"}}, "configmap/files"),
        ({"data": {"input-2": base64.b64encode(b"password = Zq7Marked4Secret").decode()}}, "secret/files"),
    ],
    ids=["binary", "text", "secret"],
)
def test_a_driver_places_the_files_that_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: dict[str, Any], named: str
) -> None:
    """As kubectl makes such objects of files, and as `submit` does."""
    monkeypatch.setattr(parameter_values, "connect", lambda: Objects(files=held))
    place = tmp_path / "placed"
    place.mkdir()
    places = place_inputs(named, plan_of(written(tmp_path)), Redaction(), place)

    expected = held.get("binaryData") or held["data"]
    content = places["second.bin"].read_bytes()
    assert places.keys() == {"second.bin"}
    assert content == (b"text" if expected["input-2"] == "text" else base64.b64decode(expected["input-2"]))


@pytest.mark.parametrize(
    ("held", "named", "words"),
    [
        ({"data": {"input-1": ""}}, "configmap/files", "no key input-2, for the input second.bin .it has: input-1"),
        ({"data": {"input-2": "password = Zq7Marked4Secret"}}, "configmap/files", "shows secrets of second.bin"),
        ({}, "files", "names no ConfigMap; write it like configmap/NAME"),
    ],
    ids=["key", "secret", "name"],
)
def test_files_that_a_driver_cannot_use_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: dict[str, Any], named: str, words: str
) -> None:
    """With what there is, or what to do."""
    monkeypatch.setattr(parameter_values, "connect", lambda: Objects(files=held))
    with pytest.raises(UsageError, match=words) as error:
        place_inputs(named, plan_of(written(tmp_path)), Redaction(), tmp_path)
    assert "Zq7" not in error.value.message


def test_what_needs_nothing_asks_nothing(tmp_path: Path) -> None:
    """A benchmark without local inputs has no object."""
    file = written(tmp_path)
    file.write_text(TEXT.replace("second.bin", "s3://bucket/second"))

    assert carrier.local_inputs(plan_of(file)) == {}
    assert submission(file).carrier is None
    assert place_inputs("", plan_of(file), Redaction(), tmp_path) == {}
