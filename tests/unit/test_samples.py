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


@pytest.mark.parametrize("word", ["fast", "nan", "inf", "-Infinity", "1e999", "1e301", "1.2.3", "1_000", "12,345e3x"])
def test_what_is_no_finite_number_is_noted_and_left_out(log: Path, word: str) -> None:
    """A value that no statistics can be made of is no measurement."""
    log.write_text(f"rate={word}\nrate=3\n", encoding="utf-8")
    found, notes = find(log, RATE)
    assert [item.value for item in found] == [3]
    assert notes == [f"metric rate: {word!r} is not a number"]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1,234,567", 1_234_567),
        ("-1,234,567.5", -1_234_567.5),
        ("1,234.5", 1234.5),
        ("12,345,678.9", 12_345_678.9),
        ("1'234", 1234),
        ("1’234’567.5", 1_234_567.5),
        ("1.234", 1.234),
        ("+.5", 0.5),
        ("1.5e-3", 0.0015),
        ("-1e300", -1e300),
    ],
)
def test_what_can_mean_one_thing_only_is_read(log: Path, word: str, value: float) -> None:
    """Commas are between thousands where there are two of them, or a point follows; a point is a decimal one."""
    log.write_text(f"rate={word}\n", encoding="utf-8")
    found, notes = find(log, RATE)
    assert ([item.value for item in found], notes) == ([value], [])


@pytest.mark.parametrize(
    "word",
    [
        "0,123",
        "1,234",
        "12,345",
        "123,456",
        "3,14",
        "0,5",
        "0,123,456",
        "1,23,456",
        "1,234,56",
        "1.234.567",
        "1.234,5",
        "1,234.5.6",
        "1,234e3",
        "-1,5",
    ],
)
def test_what_can_mean_two_things_is_noted_and_left_out(log: Path, word: str) -> None:
    """A decimal comma is not taken for one between thousands, nor the other way round; the note has a way out."""
    log.write_text(f"rate={word}\nrate=3\n", encoding="utf-8")
    found, (note,) = find(log, RATE)
    assert [item.value for item in found] == [3]
    assert note.startswith(f"metric rate: {word!r} is not a number that can mean one thing only (")
    assert "LC_ALL=C" in note


@pytest.mark.parametrize("word", ["1 234", "1 234 567", "1\u202f234", "1 234,5"])
def test_numbers_with_spaces_are_noted(log: Path, word: str) -> None:
    """They may be two numbers."""
    log.write_text(f"rate={word};\n", encoding="utf-8")
    found, (note,) = find(log, MetricSpec(name="rate", pattern="rate=(.*);"))
    assert found == []
    assert "is not a number that can mean one thing only" in note


@pytest.mark.parametrize(
    ("pattern", "line", "part", "whole"),
    [
        (r"rate=([\d.]+)", "rate=1,234", "1", "1,234"),
        (r"rate=([\d.]+)", "rate=0,5 ms", "0", "0,5"),
        (r"rate=([\d.]+)", "rate=1.5e+06", "1.5", "1.5e+06"),
        (r"rate=(\d+)", "rate=12.75.", "12", "12.75"),
        (r"rate=(-?\d+)", "rate=-1'234", "-1", "-1'234"),
        (r"([\d.]+) req", "12,345.6 req", "345.6", "12,345.6"),
        (r"(\d+) req", "0,5 req", "5", "0,5"),
        (r"(\d+) req", "1.5e+06 req", "06", "1.5e+06"),
        (r"([\d.]+) ms", "drift -1.5 ms", "1.5", "-1.5"),
        (r"([\d.]+) ms", "drift=\N{MINUS SIGN}2 ms", "2", "\N{MINUS SIGN}2"),
        (r"(\d+)$", "-3", "3", "-3"),
    ],
)
def test_a_part_of_a_number_is_no_number(log: Path, pattern: str, line: str, part: str, whole: str) -> None:
    """A pattern that stops in the middle would be wrong by a factor of a thousand."""
    log.write_text(f"{line}\n", encoding="utf-8")
    found, notes = find(log, MetricSpec(name="rate", pattern=pattern))
    assert found == []
    said = f"metric rate: {part!r} is only a part of {whole}; match all of it, or what stands beside it too"
    assert notes == [said]


@pytest.mark.parametrize(
    ("pattern", "line", "values"),
    [
        (r"([\d.]+)", "12.5,13.1,14.0", [12.5, 13.1, 14.0]),
        (r"^(\d+),", "5,170,3", [5]),
        (r",(\d+)$", "5,170", [170]),
        (r"(\d+)\.", "rate 12.75", [12]),
        (r"rate (\d+)", "rate 12, then more", [12]),
        (r"rate ([\d]+)", "the rate 12.", [12]),
        (r"(\d+) ms", "2026-11-29: 5 ms", [5]),
        (r"(\d+)x", "1920x1080", [1920]),
        (r"rate (\d+)", "rate 5e3b0", [5]),
        (r"(\d+)", "127.0.0.1", [127, 0, 0, 1]),
        (r"(\d+)", "10-20", [10, 20]),
        (r"(\d+) ms", "p50-5 ms, (x)-6 ms, --7 ms, - 8 ms", [5, 6, 7, 8]),
        (r"drift -(\d+)", "drift -5", [5]),
    ],
)
def test_what_stands_beside_a_number_does_not_make_it_a_part(
    log: Path, pattern: str, line: str, values: list[float]
) -> None:
    """Lists, ends of sentences, and what the pattern itself names are no more digits of it."""
    log.write_text(f"{line}\n", encoding="utf-8")
    found, notes = find(log, MetricSpec(name="rate", pattern=pattern))
    assert ([item.value for item in found], notes) == (values, [])


def test_a_note_of_a_long_match_is_short(log: Path, metrics_file: Path) -> None:
    """A line of a megabyte is not told whole."""
    log.write_text(f"rate={'x' * 1_000_000}\n", encoding="utf-8")
    metrics_file.write_text(f'{{"metric": "rate", "value": "{"x" * 1_000_000}"}}\n["{"x" * 1_000_000}"]', "utf-8")
    with log.open("a", encoding="utf-8") as file:
        file.write(f"rate={'1,2' * 1000}\n")
    _found, notes = find(log, RATE, file=metrics_file)
    assert len(notes) == 4
    assert notes[1].endswith("let the program print digits and a decimal point, often by LC_ALL=C")
    assert all(len(note) < 400 for note in notes)


def test_a_group_that_did_not_take_part_is_noted(log: Path) -> None:
    """A match whose first group is empty has no number."""
    log.write_text("rate=x", encoding="utf-8")
    found, notes = find(log, MetricSpec(name="rate", pattern=r"rate=(?:(\d)|x)"))
    assert found == []
    assert notes == ["metric rate: 'rate=x' matches without the first group"]


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
        '{"metric": "rate", "value": 1.8e306}',
        '{"metric": "rate", "value": 1, "time": 1e18}',
        '{"metric": "rate", "value": 1, "time": 1.7e12}',
        '{"metric": "rate", "value": 1, "time": -1}',
        '{"metric": "", "value": 1}',
        '{"metric": null, "value": 1}',
        '{"metric": [1], "value": 1}',
        '{"metric": 7, "value": 1}',
        '{"metric": "\\u001b[31mrate", "value": 1}',
        '{"metric": "rate", "value": 1, "unit": "\\u001b]0;x\\u0007"}',
        '{"metric": "' + "rate" * 100 + '", "value": 1}',
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
