"""Speed-up and efficiency of a sweep over workers, and why there are none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.made import write_sweep
from windtunnel.analysis.scaling import Scaling, scalings_of
from windtunnel.analysis.sweep import axes_of, counts_workers, load_records
from windtunnel.errors import UsageError
from windtunnel.run.record import RunRecord

BENCHMARK = """
spec_version = "1"
[benchmark]
name = "scaled"
strategy = "single-node"
[client]
command = ["measure"]
env = { THREADS = "1", SIZE = "1" }
[[metrics]]
name = "time"
better = "lower"
[[metrics]]
name = "rate"
better = "higher"
[[metrics]]
name = "other"
[matrix]
"""
THREADS = '"client.env.THREADS" = ["4", "1", "2"]'
SIZES = '"client.env.SIZE" = ["10", "100"]'


def measure(values: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return what workers measure who need 1 s alone, and half of it each besides."""
    workers = int(values.get("client.env.THREADS", values.get("run.repeats", 1)))
    time = 1 + 9 / workers
    times = [time * share for share in (0.99, 1.0, 1.01)]
    return {"time": times, "rate": [60 / time for time in times], "other": times}


def sweep(store: Path, *matrix: str, **changes: Mapping[str, Any]) -> list[RunRecord]:
    """Return the records of a sweep; `changes` are fields by ``run_0``, ``run_1``, …, in the matrix's order."""
    numbered = {int(name.removeprefix("run_")): fields for name, fields in changes.items()}
    return load_records(write_sweep(store, BENCHMARK + "\n".join(matrix), measure, numbered))


def of(scalings: Sequence[Scaling], metric: str, **values: Any) -> Scaling:
    """Return the scaling of a metric, where the other keys end with these words and have these values."""
    return next(
        each
        for each in scalings
        if each.metric == metric
        and all(each.values[key] == values[key.rpartition(".")[2]] for key in each.values if values)
    )


@pytest.mark.parametrize("metric", ["time", "rate"])
def test_speed_up_is_relative_to_the_fewest_workers(tmp_path: Path, metric: str) -> None:
    """Of a time T(p0) / T(p), of a rate X(p) / X(p0); efficiency is that over p / p0."""
    found = of(scalings_of(sweep(tmp_path, THREADS)), metric)
    speedups = [point.speedup and point.speedup.value for point in found.points]
    efficiencies = [point.efficiency and point.efficiency.value for point in found.points]

    assert (found.baseline, [point.workers for point in found.points], found.refused) == (1, [1, 2, 4], None)
    assert speedups == pytest.approx([1, 10 / 5.5, 10 / 3.25])
    assert efficiencies == pytest.approx([1, 10 / 5.5 / 2, 10 / 3.25 / 4])
    first, *others = found.points
    assert first.speedup
    assert first.speedup.ci95 is None
    for point in others:
        assert point.speedup
        assert point.efficiency
        assert point.speedup.ci95
        assert point.efficiency.ci95
        assert point.speedup.ci95[0] < point.speedup.value < point.speedup.ci95[1]
        assert point.efficiency.ci95[1] == pytest.approx(point.speedup.ci95[1] / point.workers)


def test_workers_need_not_begin_with_one(tmp_path: Path) -> None:
    """From 2 to 8 workers the ideal is 4."""
    (found,) = (
        each for each in scalings_of(sweep(tmp_path, '"client.env.THREADS" = ["2", "8"]')) if each.metric == "time"
    )
    assert found.points[1].efficiency
    assert found.points[1].efficiency.value == pytest.approx((5.5 / 2.125) / 4)


def test_other_keys_are_held_fixed(tmp_path: Path) -> None:
    """There is a speed-up for each value of another key, against the run with that value."""
    records = sweep(tmp_path, THREADS, SIZES)
    found = [each for each in scalings_of(records) if each.metric == "time"]
    assert [dict(each.values) for each in found] == [{"client.env.SIZE": "10"}, {"client.env.SIZE": "100"}]
    for each in found:
        runs = {
            record.run_id for record in records if record.sweep and each.values.items() <= record.sweep.values.items()
        }
        assert {point.run_id for point in each.points} == runs


def test_a_metric_without_a_direction_has_no_speed_up(tmp_path: Path) -> None:
    """Whether more of it is faster cannot be known."""
    found = of(scalings_of(sweep(tmp_path, THREADS)), "other")
    assert found.refused == 'the benchmark does not say whether "higher" or "lower" is better'
    assert {point.speedup for point in found.points} == {None}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"validity": "suspect", "reasons": ["client was starved", "another"]}, "suspect: client was starved"),
        ({"validity": "invalid", "reasons": ["nothing"], "metrics": {}}, "invalid: nothing"),
        ({"validity": None, "status": "failed", "metrics": {}}, "failed"),
        ({"validity": None, "status": "running", "metrics": {}}, "running"),
        ({"metrics": {}}, "without a value"),
    ],
)
def test_a_run_that_is_not_valid_is_never_compared(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    """It says what it is; the others have their speed-up."""
    found = of(scalings_of(sweep(tmp_path, THREADS, run_0=fields)), "time")
    assert [point.refused for point in found.points] == [None, None, words]
    assert [point.speedup is None for point in found.points] == [False, False, True]


def test_nothing_is_compared_with_a_run_that_is_not_valid(tmp_path: Path) -> None:
    """Without the fewest workers there is no speed-up: the next fewest are another thing."""
    doubt = {"validity": "suspect", "reasons": ["client was starved"]}
    found = of(scalings_of(sweep(tmp_path, THREADS, run_1=doubt)), "time")
    assert found.refused == "the run with 1, to which all others are compared, is suspect: client was starved"
    assert [point.speedup for point in found.points] == [None, None, None]


def test_runs_that_are_missing_are_not_made_up_for(tmp_path: Path) -> None:
    """Of a sweep that was cancelled, a combination may lack its first run, or all but one."""
    records = sweep(tmp_path, THREADS, SIZES)
    by_values = {tuple(record.sweep.values.values()): record for record in records if record.sweep}
    left = [by_values[pair] for pair in (("1", "10"), ("2", "100"), ("4", "100"))]
    scalings = scalings_of(left)
    assert of(scalings, "time", SIZE="10").refused == "there is one run only"
    assert of(scalings, "time", SIZE="100").refused == "there is no run with the smallest client.env.THREADS, 1"


def test_one_value_is_nothing_to_compare(tmp_path: Path) -> None:
    """A sweep over one number of workers has no speed-up, however many runs it has."""
    scalings = scalings_of(sweep(tmp_path, '"client.env.THREADS" = ["4"]', SIZES))
    assert {each.refused for each in scalings} == {
        "client.env.THREADS has one value, and there is nothing to compare it with"
    }


def test_two_runs_with_the_same_values_are_not_chosen_from(tmp_path: Path) -> None:
    """Hidden values look alike, and which of the two runs counts is not known."""
    records = sweep(tmp_path, THREADS)
    scalings = scalings_of([*records, records[-1]])
    assert {each.refused for each in scalings} == {
        "several runs have the same values, and which one counts is not known"
    }


def test_numbers_that_are_not_above_zero_have_no_ratio(tmp_path: Path) -> None:
    """A time of 0 is no time."""
    records = sweep(tmp_path, THREADS)
    slowest, *_others = (record for record in records if record.sweep and "1" in record.sweep.values.values())
    slowest.metrics["time"].mean = 0.0
    assert "is at 0, and only numbers above 0 have a ratio" in (of(scalings_of(records), "time").refused or "")


def test_different_units_are_not_compared(tmp_path: Path) -> None:
    """Seconds over milliseconds are no speed-up."""
    records = sweep(tmp_path, THREADS)
    records[0].metrics["time"].unit = "ms"
    assert of(scalings_of(records), "time").refused == "the runs have different units"


@pytest.mark.parametrize(
    ("key", "is_known"),
    [
        ("gang.size", True),
        ("gang.slots", True),
        ("client.ranks", True),
        ("server.replicas", True),
        ("servers.cache.replicas", True),
        ("client.env.OMP_NUM_THREADS", True),
        ("servers.cache.env.workers", True),
        ("client.env.SIZE", False),
        ("client.env.THREADS_MAX", False),
        ("run.repeats", False),
        ("server.resources.cpu", False),
        ("not a key", False),
    ],
)
def test_some_keys_say_how_many_work_at_once(key: str, *, is_known: bool) -> None:
    """Those of gangs, ranks and replicas, and variables that end with such a word; a size of anything else is none."""
    assert counts_workers(key) is is_known


def test_other_keys_count_workers_if_they_are_named(tmp_path: Path) -> None:
    """Such as a share of a CPU; one that is no key, or whose values are no numbers, is refused."""
    records = sweep(tmp_path, '"run.repeats" = [1, 2, 4]', '"client.env.SIZE" = ["10", "large"]')
    assert scalings_of(records) == []
    assert of(scalings_of(records, ["run.repeats"]), "time").points[-1].speedup
    with pytest.raises(UsageError, match=r"--workers: run\.warmup is no key of the sweep's matrix \(run\.repeats, "):
        scalings_of(records, ["run.warmup"])
    with pytest.raises(
        UsageError, match=r"client\.env\.SIZE has the values 10, large; all have to be different numbers"
    ):
        scalings_of(records, ["client.env.SIZE"])


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (["10", "9", "1e1"], None),
        (["10", "9", "8.5"], (8.5, 9.0, 10.0)),
        ([3, 1.5], (1.5, 3.0)),
        (["1", "auto"], None),
        ([True, False], None),
        ([1, True], None),
        ([["a"], ["b"]], None),
        (["nan", "1"], None),
    ],
)
def test_an_axis_of_numbers_is_in_order_of_size(
    tmp_path: Path, values: list[Any], numbers: tuple[float, ...] | None
) -> None:
    """Values that are not all different numbers stay in the order in which they came."""
    records = sweep(tmp_path, THREADS)[:1] * len(values)
    records = [
        record.model_copy(update={"sweep": record.sweep.model_copy(update={"values": {"key": value}})})
        for record, value in zip(records, values, strict=True)
        if record.sweep
    ]
    (axis,) = axes_of(records)
    assert axis.numbers == numbers
    assert json.dumps(axis.values) == json.dumps(values if numbers is None else sorted(values, key=float))


def test_a_scaling_is_json(tmp_path: Path) -> None:
    """Each point has its run, its numbers and intervals; none of them is hidden in an object of ours."""
    found = of(scalings_of(sweep(tmp_path, THREADS, SIZES)), "time", SIZE="10")
    told = json.loads(json.dumps(found.to_json()))
    first, second, _third = told.pop("points")
    assert told == {
        "axis": "client.env.THREADS",
        "metric": "time",
        "unit": None,
        "better": "lower",
        "values": {"client.env.SIZE": "10"},
        "baseline": 1.0,
        "refused": None,
    }
    assert (first["workers"], first["speedup"], first["speedup_ci95"], first["refused"]) == (1.0, 1.0, None, None)
    assert second["efficiency"] == pytest.approx(second["speedup"] / 2)
    assert len(second["speedup_ci95"]) == len(second["efficiency_ci95"]) == 2
