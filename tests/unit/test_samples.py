"""From what a job wrote to measurements."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from windtunnel.parsers import Measurement
from windtunnel.plan import MetricSpec
from windtunnel.run.extraction import Source, extract
from windtunnel.run.samples import Sample
from windtunnel.run.tally import Tally

OUTPUTS = Path(__file__).parent / "outputs"
RATE = MetricSpec(name="rate", unit="1/s", pattern=r"rate=(\S+)")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where a job's output is kept."""
    return tmp_path / "client.1.log"


@pytest.fixture
def metrics_file(tmp_path: Path) -> Path:
    """Where a job's own measurements are kept."""
    return tmp_path / "metrics.jsonl"


def find(log: Path, *metrics: MetricSpec, file: Path | None = None) -> tuple[list[Measurement], list[str]]:
    """Return the measurements that are found, and the notes."""
    tally = Tally("client", 1)
    return list(extract(Source(metrics, log, file, tally))), tally.notes


def test_a_pattern_gives_every_match(log: Path) -> None:
    """The first group of each match is a value in the metric's unit."""
    log.write_text("rate=1.5\nnothing\nrate=2 and rate=1,000.5\n", encoding="utf-8")
    found, notes = find(log, RATE)
    assert [(item.metric, item.value, item.unit) for item in found] == [
        ("rate", 1.5, "1/s"),
        ("rate", 2, "1/s"),
        ("rate", 1000.5, "1/s"),
    ]
    assert notes == []


def test_a_pattern_sees_lines(log: Path) -> None:
    """``^`` and ``$`` are the begin and the end of a line."""
    log.write_text("total 1\ntotal 2\n", encoding="utf-8")
    assert [item.value for item in find(log, MetricSpec(name="total", pattern=r"^total (\d)$"))[0]] == [1, 2]


@pytest.mark.parametrize("word", ["fast", "nan", "inf", "-Infinity", "1e999", "1.2.3"])
def test_what_is_no_finite_number_is_noted_and_left_out(log: Path, word: str) -> None:
    """A value that no statistics can be made of is no measurement."""
    log.write_text(f"rate={word}\nrate=3\n", encoding="utf-8")
    found, notes = find(log, RATE)
    assert [item.value for item in found] == [3]
    assert notes == [f"metric rate: {word!r} is no number"]


def test_a_group_that_did_not_take_part_is_noted(log: Path) -> None:
    """A match whose first group is empty has no number."""
    log.write_text("rate=x", encoding="utf-8")
    found, notes = find(log, MetricSpec(name="rate", pattern=r"rate=(?:(\d)|x)"))
    assert found == []
    assert notes == ["metric rate: None is no number"]


def test_output_that_is_not_utf8_is_read_all_the_same(log: Path) -> None:
    """Bytes that are no text do not hide the numbers beside them."""
    log.write_bytes(b"\xff\xfe rate=7\n")
    assert [item.value for item in find(log, RATE)[0]] == [7]


def test_a_missing_output_gives_nothing(log: Path) -> None:
    """A job that never wrote has no measurements, and that is no error here."""
    assert find(log, RATE, file=log.with_name("none.jsonl")) == ([], [])


@pytest.mark.parametrize("output", ["csv", "quiet", "default"])
def test_a_parser_reads_the_output_of_a_real_program(log: Path, output: str) -> None:
    """Whatever way redis-benchmark was called, its rates come out of the log."""
    log.write_bytes((OUTPUTS / f"redis_benchmark_{output}.txt").read_bytes())
    found, notes = find(log, MetricSpec(name="requests_per_second", parser="redis-benchmark"))
    assert [dict(item.labels)["test"] for item in found] == ["SET", "GET"]
    assert notes == []


def test_a_parser_without_a_name_gives_all(log: Path) -> None:
    """All metrics of the parser are found then."""
    log.write_bytes((OUTPUTS / "locust_only_summary.txt").read_bytes())
    assert len(find(log, MetricSpec(name=None, parser="locust"))[0]) == 12


def test_a_measurement_that_is_asked_for_twice_counts_once(log: Path) -> None:
    """A parser's metric that is listed beside the whole parser is not measured twice."""
    log.write_bytes((OUTPUTS / "locust_only_summary.txt").read_bytes())
    metrics = (MetricSpec(name=None, parser="locust"), MetricSpec(name="requests", parser="locust", reduce="sum"))
    found = [item.metric for item in find(log, *metrics)[0]]
    assert sorted(found) == sorted(set(found))


def test_the_metrics_file_is_read_line_by_line(log: Path, metrics_file: Path) -> None:
    """Unit, labels and time are optional; a declared metric's unit is used where the line has none."""
    lines = [
        {"metric": "rate", "value": 3},
        {"metric": "other", "value": 0.5, "unit": "ms", "labels": {"level": 1}, "time": 100},
        {"metric": "other", "value": -1.5, "labels": None},
    ]
    metrics_file.write_text("\n\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    found, notes = find(log, MetricSpec(name="rate", unit="1/s"), file=metrics_file)
    assert found == [
        Measurement("rate", 3, "1/s"),
        Measurement("other", 0.5, "ms", {"level": "1"}, 100),
        Measurement("other", -1.5),
    ]
    assert notes == []


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "7",
        "[]",
        "null",
        '{"value": 1}',
        '{"metric": "rate"}',
        '{"metric": "rate", "value": "1"}',
        '{"metric": "rate", "value": true}',
        '{"metric": "rate", "value": null}',
        '{"metric": "rate", "value": NaN}',
        '{"metric": "rate", "value": 1e999}',
        '{"metric": "rate", "value": 1' + "0" * 400 + "}",
        '{"metric": "rate", "value": 1, "time": "now"}',
        '{"metric": "rate", "value": 1, "time": NaN}',
        '{"metric": "rate", "value": 1, "labels": 7}',
        '{"metric": "rate", "value": 1, "labels": "x"}',
        '{"metric": "rate", "value": 1, "unit": 7}',
        "[" * 100_000,
    ],
    ids=lambda line: line[:45],
)
def test_a_broken_line_of_the_metrics_file_is_noted(log: Path, metrics_file: Path, line: str) -> None:
    """The note has the line's number, and the lines around it count."""
    good = '{"metric": "rate", "value": 1}'
    metrics_file.write_text(f"{good}\n{line}\n{good}\n", encoding="utf-8")
    found, notes = find(log, file=metrics_file)
    assert [item.value for item in found] == [1, 1]
    (note,) = notes
    assert note.startswith("$WINDTUNNEL_METRICS, line 2: not a measurement (")


def test_a_sample_survives_json() -> None:
    """A line of samples.jsonl is the sample again."""
    sample = Sample("rate", 1.5, "1/s", 2, 100.25, "client", {"test": "GET"}, warmup=True)
    line: dict[str, Any] = json.loads(json.dumps(sample.to_json()))
    assert Sample.from_json(line) == sample
