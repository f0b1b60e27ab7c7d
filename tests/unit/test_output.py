"""What commands print: results on standard output, everything else on standard error, all of it as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest

from windtunnel.analysis.formatting import column_number
from windtunnel.backends.recording import Outcome, RecordingBackend
from windtunnel.cli import output, showing, tables
from windtunnel.errors import PlatformError
from windtunnel.run.record import Cause, FailureCount, MetricSummary, RunRecord, SweepPart

RunRecorded = Callable[..., RunRecord]


@pytest.fixture(autouse=True)
def _fresh_consoles() -> Iterator[None]:
    """Consoles that belong to one test."""
    output.console.cache_clear()
    yield
    output.console.cache_clear()


@pytest.fixture
def record(run_recorded: RunRecorded, single_node: str) -> RunRecord:
    """The record of a run with three iterations."""
    outcomes = [Outcome(output=f"rate={number}") for number in (18, 20, 22)]
    return run_recorded(single_node + "\n[run]\nrepeats = 3\n", RecordingBackend({"client": outcomes}))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0.000"),
        (1.23456, "1.235"),
        (12.3456, "12.35"),
        (123.456, "123.5"),
        (1234.56, "1,235"),
        (-12.3456, "-12.35"),
        (12_345_678.0, "1.235e+07"),
        (0.000123, "1.230e-04"),
    ],
)
def test_numbers_have_four_digits(value: float | None, text: str) -> None:
    """Large and small ones are written with a power of ten."""
    assert column_number(value) == text


def test_an_interval_is_a_half_width(record: RunRecord) -> None:
    """It is absolute, and relative to the mean where there is one."""
    metric = record.metrics["rate"]
    assert showing.interval(metric) == "± 4.968 (24.8%)"
    assert showing.interval(metric.model_copy(update={"ci95": None})) == "–"
    assert showing.interval(metric.model_copy(update={"mean": 0.0, "ci95": (-1.0, 1.0)})) == "± 1.000"


def test_a_record_is_printed_on_standard_output(record: RunRecord, capsys: pytest.CaptureFixture[str]) -> None:
    """Verdict first, then the metrics, then where the rest is."""
    showing.print_record(record)
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = printed.out.splitlines()
    assert lines[0] == "alone  succeeded, valid  inline on recording"
    assert lines[1].split() == ["metric", "unit", "n", "mean", "95", "%", "interval", "median", "p90", "p99"]
    assert lines[2].split() == ["rate", "1/s", "3", "20.00", "±", "4.968", "(24.8%)", "20.00", "21.60", "21.96"]
    assert lines[-1] == f"run: {record.path}"


def test_an_error_is_printed_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """The message, then the step's last lines."""
    output.print_error(PlatformError("it broke", step="server", log_tail=("one", "two")))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "error: it broke\nlast lines of server:\n  | one\n  | two\n"


def test_json_is_printed_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """It can be read again."""
    output.print_json({"path": "[bold]x[/]", "n": 1})
    assert json.loads(capsys.readouterr().out) == {"path": "[bold]x[/]", "n": 1}


@pytest.mark.parametrize("text", ["[bold]x[/]", "[/]", "10:100:5", "a:x:b", "C:\\new\\[x]", "x" * 500])
def test_what_is_said_is_said_as_it_is(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Brackets are no markup, colons no pictures, and long lines are not broken."""
    output.print_err(text)
    output.print_error(PlatformError(text, log_tail=(text,)))
    assert capsys.readouterr().err == f"{text}\nerror: {text}\nlast lines:\n  | {text}\n"


@pytest.mark.parametrize("name", ["latency[ms]", "rate[/s]", "ratio{path=[/x]}", "hits{t=10:100:5}"])
def test_any_name_of_a_metric_is_printed(record: RunRecord, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Names come from programs: brackets and colons in them are printed."""
    metric: MetricSummary = record.metrics["rate"]
    record.metrics = {name: metric}
    showing.print_record(record)
    assert f"\n{name} " in capsys.readouterr().out


@pytest.mark.parametrize("unit", ["[1/s]", "[ms]", "[/h]"])
def test_any_unit_of_a_metric_is_printed(record: RunRecord, capsys: pytest.CaptureFixture[str], unit: str) -> None:
    """A unit in brackets is printed with them."""
    record.metrics = {"rate": record.metrics["rate"].model_copy(update={"unit": unit})}
    showing.print_record(record)
    assert f" {unit} " in capsys.readouterr().out


def test_reasons_and_survivors_are_printed(record: RunRecord, capsys: pytest.CaptureFixture[str]) -> None:
    """Each has a line of its own, and a cause that is a reason already is not said twice."""
    record.reasons = ["server died: [why]"]
    record.cause = None
    record.resources.left = ["server (process 7)"]
    showing.print_record(record)
    printed = capsys.readouterr().out
    assert "  - server died: [why]\n" in printed
    assert "left behind: server (process 7)\n" in printed


@pytest.mark.parametrize(
    "evil",
    [
        "\x1b[31m",
        "\x1b]0;title\x07",
        "\x1b]8;;http://x\x1b\\",
        "\x9b2J",
        "\x9d0;t\x9c",
        "\x1bc",
        "\x07",
        "\x08",
        "\u202e",
    ],
)
def test_nothing_that_is_shown_acts_on_the_terminal(
    record: RunRecord, capsys: pytest.CaptureFixture[str], evil: str
) -> None:
    """Names, units, reasons, causes, last lines, paths and notes come from programs and files."""
    metric = record.metrics["rate"].model_copy(update={"unit": f"m{evil}s"})
    record.metrics = {f"ra{evil}te": metric}
    record.reasons = [f"rea{evil}son"]
    record.cause = Cause(code="x", message=f"cau{evil}se")
    record.resources.left = [f"le{evil}ft"]
    record.path = f"pa{evil}th"
    record.sweep = SweepPart(id="id", values={f"ke{evil}y": f"val{evil}ue"})
    showing.print_record(record)
    showing.print_sweep([record], 1)
    output.print_err(f"no{evil}te")
    output.print_error(PlatformError(f"err{evil}or", step="server", log_tail=(f"li{evil}ne",)))
    output.echo(f"ec{evil}ho")
    printed = "".join(capsys.readouterr())

    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", printed)
    for word in ("rate", "ms", "reason", "cause", "left", "path", "key", "value", "note", "error", "line", "echo"):
        assert word in printed
    output.print_json({"name": evil})
    assert json.loads(capsys.readouterr().out) == {"name": evil}


def test_failed_requests_are_shown(record: RunRecord, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where they are few enough for a valid result; where none failed there is nothing to say."""
    record.failures = [FailureCount(step="client", source="wrk", requests=1749, failures=3)]
    showing.print_record(record)
    assert "client: 3 of 1,749 requests failed\n" in capsys.readouterr().out
    record.failures[0].failures = 0
    showing.print_record(record)
    assert "requests failed" not in capsys.readouterr().out


def test_a_pipe_gets_every_row_and_every_word(record: RunRecord, capsys: pytest.CaptureFixture[str]) -> None:
    """However many there are, and however wide: what reads it may look for any of them."""
    count = 2 * tables.MOST_ROWS
    record.metrics = {f"{n:0200}": record.metrics["rate"] for n in range(count)}
    showing.print_record(record)
    printed = capsys.readouterr()
    assert printed.err == ""
    assert [line.split()[0] for line in printed.out.splitlines()[2:-1]] == list(record.metrics)


def test_a_terminal_gets_as_many_rows_as_a_person_reads(
    record: RunRecord, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first ones, and how to see the others."""
    record.metrics = {f"m{n}": record.metrics["rate"] for n in range(tables.MOST_ROWS + 1200)}
    monkeypatch.setattr(type(output.console()), "is_terminal", True)
    showing.print_record(record)
    printed = capsys.readouterr()
    assert [line.split()[0] for line in printed.out.splitlines()[2:-1]] == list(record.metrics)[: tables.MOST_ROWS]
    assert printed.err == "1,200 more metrics are not shown; --json has them all\n"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_cell_is_one_line_of_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool
) -> None:
    """Names come from programs: none breaks a line, acts on a terminal, or is taken for a style."""
    monkeypatch.setattr(type(output.console()), "is_terminal", is_terminal)
    columns = [tables.Column("na[me]"), tables.Column("n", is_right=True)]
    tables.print_table(columns, [["two\nlines", "1"], ["\x1b]0;gone\x07title", "10"], ["[bold]x", "100"]])
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["na[me]", "n"],
        ["two", "lines", "1"],
        ["title", "10"],
        ["[bold]x", "100"],
    ]
