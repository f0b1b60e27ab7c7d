"""A matrix: every combination of its values is a run of one sweep."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from support.lab import Lab, finish, single_node
from windtunnel.benchmark import parse, parse_all
from windtunnel.benchmark.matrix import combinations
from windtunnel.errors import DescriptorError

FILE = Path("sweep.toml")
RATE = """
[[metrics]]
name = "rate"
pattern = 'rate=([0-9]+)'
"""


def sweep(matrix: str, command: str = "echo rate=$$SIZE") -> str:
    """Return a benchmark that prints a variable of its environment, with a matrix."""
    return single_node(["sh", "-c", command], f'[client.env]\nSIZE = "1"\n{RATE}[matrix]\n{matrix}')


def test_every_combination_is_a_benchmark_of_its_own() -> None:
    """The last key varies fastest; each says what it varies, also among its overrides."""
    found = parse_all(sweep('"client.env.SIZE" = ["1", "2"]\n"run.repeats" = [3, 4]'), FILE, ["run.warmup=1"])

    assert [dict(loaded.combination) for loaded in found] == [
        {"client.env.SIZE": size, "run.repeats": repeats} for size in ("1", "2") for repeats in (3, 4)
    ]
    assert [loaded.benchmark.run.repeats for loaded in found] == [3, 4, 3, 4]
    assert {loaded.benchmark.run.warmup for loaded in found} == {1}
    assert found[0].overrides == ("run.warmup=1", 'client.env.SIZE="1"', "run.repeats=3")


def test_a_key_is_varied_or_overridden_but_not_both() -> None:
    """Which one is meant cannot be known."""
    with pytest.raises(DescriptorError, match=r"matrix\.run\.repeats: --set gives it one value"):
        parse_all(sweep('"run.repeats" = [3, 4]'), FILE, ["run.repeats=9"])


@pytest.mark.parametrize(("values", "is_allowed"), [(1000, True), (1001, False)])
def test_a_sweep_has_a_thousand_runs_at_most(values: int, *, is_allowed: bool) -> None:
    """A thousand are allowed, one more is not; keys count together."""
    if is_allowed:
        assert len(combinations({"a.b": list(range(values))}, [])) == values
        assert len(combinations({"a.b": list(range(100)), "a.c": list(range(10))}, [])) == values
    else:
        with pytest.raises(ValueError, match="matrix: 1001 combinations; 1000 is the most"):
            combinations({"a.b": list(range(values))}, [])


def cells(**matrix: object) -> list[dict[str, object]]:
    """Return the combinations of a matrix of two keys, and of what it has beside them."""
    return [dict(cell) for cell in combinations({"a.x": [1, 2], "a.y": [3, 4], **matrix}, [])]


def test_keys_that_are_zipped_vary_together() -> None:
    """Their first values, then their second ones; others vary by themselves."""
    assert cells(zip=[["a.y", "a.x"]]) == [{"a.x": 1, "a.y": 3}, {"a.x": 2, "a.y": 4}]
    assert len(combinations({"a.x": [1, 2], "a.y": [3, 4], "a.z": [5, 6, 7], "zip": [["a.x", "a.y"]]}, [])) == 6


def test_combinations_can_be_left_out_and_put_in() -> None:
    """A part of a combination leaves out all that have it."""
    assert cells(exclude=[{"a.x": 1, "a.y": 4}]) == [{"a.x": 1, "a.y": 3}, {"a.x": 2, "a.y": 3}, {"a.x": 2, "a.y": 4}]
    assert cells(exclude=[{"a.x": 2}]) == [{"a.x": 1, "a.y": 3}, {"a.x": 1, "a.y": 4}]
    assert cells(exclude=[{"a.x": 1}, {"a.x": 2}], include=[{"a.y": 9, "a.x": 8}]) == [{"a.x": 8, "a.y": 9}]


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        ({"zip": ["a.x"]}, "give groups of keys"),
        ({"zip": [["a.x", "a.z"]]}, "'a.z' is no key of this matrix"),
        ({"zip": [["a.x", "a.y"], ["a.y", "a.x"]]}, "a.x is in two groups"),
        ({"a.z": [1], "zip": [["a.x", "a.z"]]}, "a.x has 2, a.z has 1"),
        ({"exclude": {"a.x": 1}}, "matrix.exclude: give a list of tables"),
        ({"exclude": [{"a": {"x": 1}}]}, "a is no key of this matrix; quote the whole key"),
        ({"exclude": [{"a.x": 7}]}, "there is no combination with a.x = 7"),
        ({"exclude": [{"a.x": 1}, {"a.x": 2}]}, "all combinations are excluded"),
        ({"include": [{"a.x": 7}]}, "a.y is missing in a.x = 7"),
        ({"include": [{"a.x": 1, "a.y": 3}]}, "a.x = 1, a.y = 3 is there already"),
        ({"include": [{"a.x": n, "a.y": 0} for n in range(997)]}, "1001 combinations"),
    ],
)
def test_what_is_put_in_or_left_out_by_mistake_is_refused(matrix: dict[str, object], words: str) -> None:
    """It is said which key or combination is meant."""
    with pytest.raises(ValueError, match=re.escape(words)):
        cells(**matrix)


def test_a_secret_that_is_put_in_is_hidden() -> None:
    """As any value of the matrix."""
    key = '"client.env.API_TOKEN"'
    text = sweep(f'{key} = ["one"]\ninclude = [{{ {key} = "hunter2000" }}]')
    found = parse_all(text, FILE)

    assert len(found) == 2
    assert "hunter2000" not in found[1].redaction.toml(text)
    assert "hunter2000" not in str(found[1].redaction.values(found[1].combination))


def test_values_of_different_kinds_are_different_values() -> None:
    """Python holds some of them for equal; a value is given twice only if it is written twice."""
    values = [1, True, 1.0, "1", [1], [True]]
    found = [combination["a.b"] for combination in combinations({"a.b": values}, [])]
    assert [(type(value), value) for value in found] == [(type(value), value) for value in values]
    for twice in ([1, 1], ["1", "1"], [True, True]):
        with pytest.raises(ValueError, match=r"matrix\.a\.b: a value is given twice"):
            combinations({"a.b": twice}, [])


def test_a_sweep_is_no_single_benchmark() -> None:
    """Where one is asked for, it is refused with what can run it."""
    with pytest.raises(DescriptorError, match="only `windtunnel run` and `windtunnel submit` can run a sweep"):
        parse(sweep('"run.repeats" = [3]'), FILE)


def test_a_sweep_gives_one_object_with_all_its_runs(lab: Lab) -> None:
    """One id, each run's values and folder; the exit code is the first that is not 0, and the rest still runs."""
    text = sweep('"client.env.SIZE" = ["1", "x", "3"]\n"run.repeats" = [3]')
    result = lab.run(text)
    told = json.loads(result.stdout)

    assert result.exit_code == 5
    assert [run["sweep"]["values"]["client.env.SIZE"] for run in told["runs"]] == ["1", "x", "3"]
    assert {run["sweep"]["id"] for run in told["runs"]} == {told["sweep_id"]}
    assert [run["exit_code"] for run in told["runs"]] == [0, 5, 0]
    assert [run["metrics"].get("rate", {}).get("mean") for run in told["runs"]] == [1, None, 3]
    assert len(list((lab.path / "runs").iterdir())) == 3


def test_people_get_a_table_of_the_sweep(lab: Lab) -> None:
    """A row a run with its values, its own verdict and means, after the runs themselves."""
    file = lab.write(sweep('"client.env.SIZE" = ["7", "8"]\n"run.repeats" = [3]'))
    result = lab.call("run", str(file))
    records = [json.loads(path.read_text()) for path in sorted((lab.path / "runs").glob("*/run.json"))]
    verdicts = {record["metrics"]["rate"]["mean"]: record["validity"] for record in records}

    assert result.exit_code == 0
    assert "run 2 of 2: client.env.SIZE = 8, run.repeats = 3" in result.stderr
    rows = [line.split() for line in result.stdout.splitlines()[-2:]]
    assert rows == [["7", "3", verdicts[7], "7.000"], ["8", "3", verdicts[8], "8.000"]]


def test_one_wrong_combination_starts_nothing(lab: Lab) -> None:
    """Exit 2 names the combination, and there is no run."""
    result = lab.run(sweep('"run.repeats" = [1, 0]'))

    assert result.exit_code == 2
    assert "(matrix: run.repeats=0)" in result.stderr
    assert result.record["run_id"] is None
    assert not (lab.path / "runs").exists()


def test_a_cancel_ends_the_sweep(lab: Lab) -> None:
    """The run that goes on is cancelled, and no other is started."""
    file = lab.write(sweep('"client.env.SIZE" = ["1", "2", "3"]', "echo rate=1; sleep 60"))
    with lab.start("run", str(file), "--json") as process:
        lab.wait_for("iteration_started")
        process.send_signal(signal.SIGINT)
        result = finish(process)

    assert result.exit_code == 130
    assert [run["status"] for run in json.loads(result.stdout)["runs"]] == ["cancelled"]


@pytest.mark.long
def test_a_sweep_goes_on_with_the_runs_that_are_not_finished(lab: Lab) -> None:
    """The run that was cancelled is made again, one that is finished is not, and each counts once."""
    command = "echo rate=$$SIZE; test $$SIZE = 1 || test -e LAB/go || sleep 60"
    file = lab.write(sweep('"client.env.SIZE" = ["1", "2", "3"]', command.replace("LAB", str(lab.path))))
    with lab.start("run", str(file), "--json") as process:
        lab.wait_for_log("client", "rate=2", process=process)
        process.send_signal(signal.SIGINT)
        before = json.loads(finish(process).stdout)
    (lab.path / "go").touch()
    result = lab.call("run", str(file), "--resume", before["sweep_id"], "--json")
    after = json.loads(result.stdout)

    assert result.exit_code == 0
    assert [run["status"] for run in before["runs"]] == ["succeeded", "cancelled"]
    assert [run["status"] for run in after["runs"]] == ["succeeded"] * 3
    assert after["sweep_id"] == before["sweep_id"]
    assert after["runs"][0]["run_id"] == before["runs"][0]["run_id"]
    shown = json.loads(lab.call("show", before["sweep_id"], "--json").stdout)["runs"]
    assert [run["run_id"] for run in shown] == [run["run_id"] for run in after["runs"]]
    again = lab.call("run", str(file), "--resume", before["sweep_id"])
    assert again.stderr.count("is finished: ") == 3
    other = lab.call("run", str(file), "--resume", before["sweep_id"], "--set", "run.warmup=1")
    assert other.exit_code == 2
    assert "none of its runs is one of this file's" in " ".join(other.stderr.split())


@pytest.mark.long
def test_a_plan_of_a_sweep_shows_each_run(lab: Lab) -> None:
    """As text under a heading each; as JSON with the values."""
    file = str(lab.write(sweep('"run.repeats" = [3, 4]')))
    text = lab.call("plan", file)
    told = json.loads(lab.call("plan", file, "--format", "json").stdout)

    assert "run 2 of 2: run.repeats = 4" in text.stdout
    assert [run["values"] for run in told["runs"]] == [{"run.repeats": 3}, {"run.repeats": 4}]
    assert "2 runs" in lab.call("validate", file).stdout
