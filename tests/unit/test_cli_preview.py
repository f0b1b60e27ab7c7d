"""`plan --backend`, called in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from windtunnel.cli import main, preview


@pytest.fixture
def file(tmp_path: Path, client_server: str) -> str:
    """The name of a benchmark file."""
    path = tmp_path / "b.toml"
    path.write_text(client_server, encoding="utf-8")
    return str(path)


def plan(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Call `plan`; return its exit code, standard output and standard error."""
    with pytest.raises(SystemExit) as ended:
        main(["plan", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code, *capsys.readouterr()


def test_a_preview_is_a_stream_of_yaml(capsys: pytest.CaptureFixture[str], file: str) -> None:
    """Notes are comments; the documents are those of the JSON."""
    code, text, _err = plan(capsys, file, "--backend", "process")
    assert code == 0
    shown = json.loads(plan(capsys, file, "--backend", "process", "--json")[1])

    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# What a run on process would make, in this order.",
        *(f"# {note}." for note in shown["notes"]),
    ]
    assert list(yaml.safe_load_all(text)) == shown["documents"]
    assert shown["backend"] == "process"
    assert [each["name"] for each in shown["documents"]] == ["server", "client.1"]


def test_a_preview_is_json_where_no_yaml_can_be_written(
    capsys: pytest.CaptureFixture[str], file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which those who read YAML read as well."""
    shown = json.loads(plan(capsys, file, "--backend", "process", "--json")[1])
    monkeypatch.setattr(preview, "find_spec", lambda _name: None)
    text = plan(capsys, file, "--backend", "process")[1]

    assert list(yaml.safe_load_all(text)) == shown["documents"]
    assert "\n---\n{\n" in text


def test_each_run_of_a_sweep_has_its_preview(capsys: pytest.CaptureFixture[str], file: str) -> None:
    """With the values of the matrix that it is of."""
    with Path(file).open("a", encoding="utf-8") as more:
        more.write('\n[matrix]\n"client.env.N" = [1, 2]\n')
    code, text, _err = plan(capsys, file, "--backend", "recording")
    runs = json.loads(plan(capsys, file, "--backend", "recording", "--json")[1])["runs"]

    assert code == 0
    assert "# run 2 of 2: client.env.N = 2" in text
    assert [run["values"] for run in runs] == [{"client.env.N": 1}, {"client.env.N": 2}]
    assert [run["documents"][-1]["environment"]["N"] for run in runs] == ["1", "2"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--backend", "dcoker"), "no backend 'dcoker'; did you mean 'docker'?"),
        (("--backend", "docker"), "server: the docker backend needs an image"),
        (("--backend", "process", "--set", "server.replicas=2"), "use --backend docker or kubernetes"),
    ],
)
def test_what_could_not_be_run_has_no_preview(
    capsys: pytest.CaptureFixture[str], file: str, arguments: tuple[str, ...], words: str
) -> None:
    """Exit 2, as `run` would."""
    code, out, err = plan(capsys, file, *arguments)
    assert (code, out) == (2, "")
    assert words in err


def test_a_plan_as_json_is_short_for_its_format(capsys: pytest.CaptureFixture[str], file: str) -> None:
    """Both are the same plan."""
    assert plan(capsys, file, "--json") == plan(capsys, file, "--format", "json")
