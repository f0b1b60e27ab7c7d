"""Stored runs side by side: only like with like, only runs with runs, and a word only where the data can carry it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from support.made import write_sweep
from windtunnel.analysis.stored_comparison import compare_runs
from windtunnel.cli import main
from windtunnel.errors import UsageError
from windtunnel.run.folder import RunFolder

Make = Callable[..., list[RunFolder]]
TEXT = """
spec_version = "1"
[benchmark]
name = "steady"
strategy = "single-node"
[client]
command = ["echo"]
[[metrics]]
name = "time"
unit = "ms"
better = "lower"
[matrix]
"client.env.RUN" = RUNS
"""


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a stored run for each value, each made by a command of its own unless said otherwise."""

    def make_runs(values: Sequence[float], *, sessions: int | None = None, validity: str = "valid") -> list[RunFolder]:
        text = TEXT.replace("RUNS", json.dumps(list(range(len(values)))))
        changes = {number: {"sweep": None, "validity": validity} for number in range(len(values))}
        found = write_sweep(
            tmp_path / "runs", text, lambda cell: {"time": [values[cell["client.env.RUN"]]] * 3}, changes
        )
        for number, folder in enumerate(found):
            plan = json.loads((folder.path / "plan.json").read_text())
            plan["steps"][0]["program"]["env"] = {}
            (folder.path / "plan.json").write_text(json.dumps(plan))
            if sessions:
                record = folder.read_record()
                part = {"id": f"a-duel-{number % sessions}", "side": "baseline", "round": number + 1}
                folder.write_record(record.model_validate(record.model_dump() | {"duel": part}))
        return found

    return make_runs


def test_runs_that_are_slower_are_worse(make: Make) -> None:
    """Five of them from five sessions can carry the word."""
    found = compare_runs(make([10.0, 10.1, 9.9, 10.0, 10.2]), make([11.0, 11.1, 10.9, 11.0, 11.2]))

    (time,) = found.found.metrics
    assert found.found.word == time.word == "worse"
    assert time.effect
    assert time.effect.change(time.effect.size) == pytest.approx(0.0996, abs=0.001)


def test_one_run_is_compared_with_what_eight_predict(make: Make) -> None:
    """Its own iterations say nothing of the next run."""
    found = compare_runs(make([10.0, 10.1, 9.9, 10.0, 10.2, 9.8, 10.0, 10.1]), make([12.0]))

    assert found.found.metrics[0].method == "prediction"
    assert found.found.word == "worse"


@pytest.mark.parametrize(("runs", "sessions"), [(2, None), (5, 1)])
def test_few_runs_or_few_sessions_carry_no_word(make: Make, runs: int, sessions: int | None) -> None:
    """However far apart they are; it is said what it takes."""
    side = [10.0, 10.1, 9.9, 10.0, 10.2][:runs]
    found = compare_runs(make(side, sessions=sessions), make([value * 2 for value in side], sessions=sessions))

    (time,) = found.found.metrics
    assert time.word == "unknown"
    assert time.reason
    assert "a word takes 5 runs from 3 sessions of each side" in time.reason.message


def test_runs_without_numbers_are_left_out(make: Make) -> None:
    """They are told of; a side of nothing else is refused."""
    invalid = make([5.0], validity="invalid")
    found = compare_runs(make([10.0, 10.0]), [*make([10.0, 10.0]), *invalid])

    assert found.left_out == {invalid[0].run_id: "invalid"}
    assert found.runs == (2, 2)
    with pytest.raises(UsageError, match="the candidate has no valid run"):
        compare_runs(make([10.0]), invalid)


def test_unlike_runs_are_refused_with_what_differs(make: Make) -> None:
    """Each difference with both values, until it is allowed by name."""
    one, other = make([10.0, 10.0]), make([11.0, 11.0])
    for folder, cpu in ((one[0], "Xeon 1"), (other[0], "Xeon 2")):
        (folder.path / "environment.json").write_text(json.dumps({"cpu_model": cpu}))

    with pytest.raises(UsageError, match="cpu_model: Xeon 1 / Xeon 2"):
        compare_runs(one, other)
    assert compare_runs(one, other, ["cpu_model"]).differences[0].key == "cpu_model"
    with pytest.raises(UsageError, match="they do not differ in it; they do in: cpu_model"):
        compare_runs(one, other, ["memory"])


def test_the_command_says_it_in_words_and_by_its_exit_code(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """That drift is in it, too; and all of it as JSON."""
    one, other = make([10.0, 10.1, 9.9, 10.0, 10.2]), make([11.0, 11.1, 10.9, 11.0, 11.2])
    names = [",".join(folder.run_id for folder in side) for side in (one, other)]
    store = str(one[0].path.parent)

    assert call("compare", *names, "--store", store) == 6
    told = capsys.readouterr().out
    assert "worse, 5 runs and 5; measured at different times" in told
    assert "time: worse, +10.0 %" in told
    assert call("compare", *names, "--store", store, "--json") == 6
    assert json.loads(capsys.readouterr().out)["word"] == "worse"
    assert call("compare", one[0].run_id, other[0].run_id, "--store", store, "--strict") == 8


def call(*arguments: str) -> int:
    """Return the exit code of a command line."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)
