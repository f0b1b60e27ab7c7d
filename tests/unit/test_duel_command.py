"""`run --against` as a user calls it: what is refused, what is printed, and how it goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.page import Page
from windtunnel.cli import main

TEXT = """
spec_version = "1"
[benchmark]
name = "steady"
strategy = "single-node"
[client]
command = ["echo", "time=VALUE"]
[output]
store = "STORE"
[[metrics]]
name = "time"
unit = "ms"
better = "lower"
pattern = 'time=([0-9.]+)'
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A baseline and a candidate that takes a tenth longer, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    for name, value in (("baseline", "10.0"), ("candidate", "11.0")):
        text = TEXT.replace("VALUE", value).replace("STORE", str(tmp_path / "runs"))
        (tmp_path / f"{name}.toml").write_text(text)
    return "baseline.toml", "candidate.toml"


def call(*arguments: str) -> int:
    """Return the exit code of a command line."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


@pytest.mark.long
def test_a_duel_says_what_it_came_to(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """In words, as Markdown, and with its exit code; it is over then."""
    baseline, candidate = files
    code = call("run", candidate, "--against", baseline, "--rounds", "5", "--seed", "7", "--markdown", "duel.md")
    told = capsys.readouterr()

    assert code == 6
    assert "steady  the candidate is worse, after 5 rounds" in told.out
    assert "time: worse, +10.0 %" in told.out
    assert "looks after 5 rounds" in told.err
    assert Path("duel.md").read_text().startswith("**steady**: the candidate is worse, after 5 rounds\n\n| metric |")
    (duel,) = Path("runs").glob("*-duel")
    assert call("report", duel.name) == 0
    page = Page((duel / "report.html").read_text())
    assert "The candidate is worse, after 5 rounds" in page.text
    rounds = page.rows("Each has one fresh run of each side; the first of them is named")
    assert [row[0] for row in rounds] == ["round", "1", "2", "3", "4", "5"]
    assert "svg" in page.tags
    capsys.readouterr()
    assert call("run", candidate, "--against", baseline, "--resume", "last") == 2
    assert "it is over, and its verdict is worse" in " ".join(capsys.readouterr().err.split())


@pytest.mark.long
def test_a_stored_run_is_a_baseline(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """It is made again; against itself a candidate is the same. Machines have what the duel's folder keeps."""
    _baseline, candidate = files
    assert call("run", candidate) == 0
    capsys.readouterr()

    assert call("run", candidate, "--against", "last", "--rounds", "5", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "same"
    assert json.loads((Path("runs") / told["duel_id"] / "duel.json").read_text()) == told


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--rounds", "5"], "--rounds goes with --against BASELINE"),
        (["--resume", "x"], "--resume goes with --against BASELINE"),
        (["--against", "nobody"], "no run 'nobody'"),
        (["--against", "baseline.toml", "--rounds", "4"], "greater than or equal to 5"),
        (["--against", "baseline.toml", "--resume", "none"], "no duel 'none'"),
        (["--against", "baseline.toml", "--set", "output.store=s3://bucket/x"], "a duel is kept in a folder"),
    ],
)
def test_a_duel_that_cannot_begin_is_a_usage_error(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    """It is said which option, and why; nothing is started."""
    _baseline, candidate = files

    assert call("run", candidate, *options) == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert not Path("runs").exists()
