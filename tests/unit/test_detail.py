"""What a report says beyond the record: percentiles, distributions, iterations, logs' ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from support.made import BEGIN, Labels, write_run
from support.page import Page
from windtunnel.analysis.detail import load_detail, percentiles_of
from windtunnel.analysis.logs import MOST_LOGS, last_lines
from windtunnel.analysis.plots import Line
from windtunnel.analysis.report import render
from windtunnel.backends.recording import Outcome, RecordingBackend
from windtunnel.errors import PlatformError
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord

RunRecorded = Callable[..., RunRecord]
NewFolder = Callable[[str], RunFolder]


@pytest.mark.parametrize(
    "values", [[3.0], [1.0, 2.0, 10.0], [7.0] * 50, list(range(1000)), [float(n * n % 97) for n in range(500)]]
)
def test_percentiles_are_numpys(values: list[float]) -> None:
    """They are linear between neighbours, for one value as for many."""
    expected = [float(np.percentile(values, q)) for q in (50, 90, 95, 99)]
    assert percentiles_of(Line("x", np.array(values, dtype=float))) == expected


@pytest.mark.usefixtures("undrawn")
def test_the_table_of_percentiles_leaves_warm_up_out(new_folder: NewFolder, single_node: str) -> None:
    """Its row has the count, the smallest, the percentiles and the largest of all kept samples."""
    folder = new_folder(single_node)
    write_run(folder, [{(): [5000.0]}, {(): list(range(1, 51))}, {(): list(range(51, 102))}], warmup=1)
    header, row = Page(render(folder)).rows("Over samples")
    assert header == ["metric", "unit", "samples", "min", "p50", "p90", "p95", "p99", "max"]
    assert row == ["rate", "ms", "101", "1", "51", "91", "96", "100", "101"]


@pytest.mark.usefixtures("undrawn")
def test_a_lost_summary_is_shown_from_the_record(new_folder: NewFolder, single_node: str) -> None:
    """Where a metric's samples are not in the folder, its row has what the record knows."""
    folder = new_folder(single_node)
    write_run(folder, [{(): [1.0, 2.0]}, {(): [3.0, 4.0]}])
    (folder.path / "samples.jsonl").write_text("", encoding="utf-8")
    assert Page(render(folder)).rows("Over samples")[1][2:] == ["4", "–", "2.5", "3.7", "–", "3.97", "–"]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("groups", "lines"),
    [
        ({(): [1.0]}, []),
        ({(): [4.0] * 30}, []),
        ({(): [1.0, 2.0, 3.0, 4.0] * 9}, []),
        ({(): [1.0, 2.0, 3.0, 4.0, 5.0]}, [""]),
        ({(("op", "get"),): [1, 2, 3, 4, 5], (("op", "set"),): [6, 7, 8, 9, 10]}, ["op=get", "op=set"]),
        ({(("op", "get"),): [1, 2, 3, 4, 5], (("op", "set"),): [6, 6, 6, 6, 6]}, ["op=get"]),
    ],
    ids=["one", "equal", "few distinct", "enough", "labels", "one label"],
)
def test_a_distribution_is_drawn_where_it_says_something(
    new_folder: NewFolder, single_node: str, groups: dict[Labels, list[float]], lines: list[str]
) -> None:
    """One sample an iteration, or a handful of different values, are told by the tables; labels make lines."""
    folder = new_folder(single_node)
    write_run(folder, [groups] * 3)
    detail = load_detail(folder)
    assert [line.name for line in detail.distributions().get("rate", [])] == lines
    assert ("Distribution of samples" in Page(render(folder)).text) == bool(lines)


@pytest.mark.long
def test_lines_of_a_distribution_are_capped(new_folder: NewFolder, single_node: str) -> None:
    """Six label sets are drawn, and the caption says how many more there are."""
    folder = new_folder(single_node)
    write_run(folder, [{(("op", str(number)),): [1, 2, 3, 4, 5] for number in range(8)}] * 2)
    page = Page(render(folder))
    plot = next(e for e in page.all("svg") if e.attributes["aria-label"].startswith("rate. 60 samples"))
    assert [f"op={number}" in plot.text for number in range(8)] == [True] * 6 + [False] * 2
    assert "2 more label sets are in the table" in plot.attributes["aria-label"]
    assert len(page.rows("Over samples")) == 9


@pytest.mark.usefixtures("undrawn")
def test_iterations_are_told_one_by_one(run_recorded: RunRecorded, single_node: str) -> None:
    """Each has its number, kind, exit status, samples and the value that its samples are reduced to."""
    outcomes = [
        Outcome(output="rate=1\nrate=3\n"),
        Outcome(output="rate=4\nrate=8\n"),
        Outcome(output="rate=9\n", status=3),
    ]
    text = single_node + 'reduce = "max"\n\n[run]\nwarmup = 1\nrepeats = 4\n'
    record = run_recorded(text, RecordingBackend({"client": outcomes}))
    header, *rows = Page(render(RunFolder(Path(record.path or "")))).rows("Iterations")
    assert header == ["iteration", "kind", "started, s", "took", "exit status", "samples", "rate"]
    assert [[row[0], row[1], *row[4:]] for row in rows] == [
        ["1", "warm-up", "0", "2", "3"],
        ["2", "kept", "0", "2", "8"],
        ["3", "kept", "3", "1", "9"],
    ]
    assert all(re.fullmatch(r"\d\.\d\d", row[2]) and re.fullmatch(r"\d+ ms", row[3]) for row in rows)


@pytest.mark.usefixtures("undrawn")
def test_an_iteration_that_did_not_end_says_so(run_recorded: RunRecorded, client_server: str) -> None:
    """A server that died leaves the iteration without a status."""
    death = PlatformError("server died", step="server")
    backend = RecordingBackend({"server": [Outcome(death=death)]})
    page = Page(render(RunFolder(Path(run_recorded(client_server, backend).path or ""))))
    assert page.rows("Iterations")[1][4] == "did not end"


@pytest.mark.usefixtures("undrawn")
def test_a_lost_runs_iterations_are_told_from_its_events(new_folder: NewFolder, single_node: str) -> None:
    """A killed driver left no phases; when an iteration began and how long it took is known all the same."""
    folder = new_folder(single_node)
    record = write_run(folder, [{(): [1.0]}] * 2, seconds=1.5)
    folder.write_record(record.model_copy(update={"phases": []}))
    assert [row[2:4] for row in Page(render(folder)).rows("Iterations")[1:]] == [["0.00", "1.50 s"], ["1.50", "1.50 s"]]


@pytest.mark.usefixtures("undrawn")
def test_of_very_many_iterations_the_middle_is_left_out(new_folder: NewFolder, single_node: str) -> None:
    """The table has the first 600 and the last 600, and says how many are missing; the report is small."""
    folder = new_folder(single_node)
    write_run(folder, [{(): [float(number)]} for number in range(1250)], seconds=0.01)
    html = render(folder)
    page = Page(html)
    assert len(html) < 700_000
    numbers = [row[0] for row in page.rows("Iterations")[1:]]
    assert (len(numbers), numbers[599], numbers[600], numbers[-1]) == (1200, "600", "651", "1250")
    assert "50 more iterations, those in the middle" in page.text


def test_the_values_plot_has_the_numbers_of_the_table(new_folder: NewFolder, single_node: str) -> None:
    """The first kept iteration is called by the number that it has everywhere else."""
    folder = new_folder(single_node)
    write_run(folder, [{(): [float(number)]} for number in range(5)], warmup=2)
    assert load_detail(folder).iterations_of("rate") == [3, 4, 5]


@pytest.mark.usefixtures("undrawn")
def test_time_is_summed_by_phase(new_folder: NewFolder, single_node: str) -> None:
    """The table below the timeline has what its bars show: how often, when first, how long."""
    folder = new_folder(single_node)
    write_run(folder, [{(): [1.0]}] * 4, warmup=1, seconds=1.5)
    assert Page(render(folder)).rows("Time that each step")[1:] == [
        ["client", "warm-up", "1", "0.00", "1.50 s", "1.50 s"],
        ["client", "run", "3", "1.50", "4.50 s", "1.50 s"],
    ]


def test_only_kept_iterations_are_shaded(new_folder: NewFolder, single_node: str) -> None:
    """Spans are in seconds since the run began."""
    folder = new_folder(single_node)
    write_run(folder, [{(): [1.0]}] * 3, warmup=1)
    detail = load_detail(folder)
    assert detail.origin == BEGIN
    assert detail.measured == [(2.0, 4.0), (4.0, 6.0)]


@pytest.mark.usefixtures("undrawn")
def test_logs_of_what_failed_come_first(run_recorded: RunRecorded, client_server: str) -> None:
    """Then those of services, then those of iterations, the last one first; only the failed is open."""
    outcomes = [Outcome(output="rate=1\n"), Outcome(output="rate=2\n"), Outcome(output="no space\n", status=3)]
    backend = RecordingBackend({"client": outcomes, "server": [Outcome(output="listening\n")]})
    record = run_recorded(client_server + "\n[run]\nrepeats = 4\n", backend)
    page = Page(render(RunFolder(Path(record.path or ""))))
    logs = [e for e in page.all("details") if ".log," in e.text]
    names = [log.text.split(",")[0].strip() for log in logs]
    assert names == ["client.3.log", "server.log", "client.2.log", "client.1.log"]
    assert ["open" in log.attributes for log in logs] == [True, False, False, False]
    assert "no space" in logs[0].text
    assert "failed" in logs[0].text


def test_the_log_of_the_step_that_the_cause_names_comes_first(run_recorded: RunRecorded, client_server: str) -> None:
    """A server that was not ready has written why, if anybody has."""
    error = PlatformError("server was not ready", step="server")
    backend = RecordingBackend({"server": [Outcome(output="cannot bind\n", error=error)]})
    record = run_recorded(client_server, backend)
    folder = RunFolder(Path(record.path or ""))
    folder.log("server").write_text("cannot bind\n", encoding="utf-8")
    folder.log("client", 1).write_text("rate=1\n", encoding="utf-8")
    logs, left_out = last_lines(folder.path, [], record.cause)
    assert [(log.name, log.mark) for log in logs] == [("server.log", "named in the verdict"), ("client.1.log", "")]
    assert left_out == 0


@pytest.mark.usefixtures("undrawn")
def test_empty_logs_are_told_in_one_line(new_folder: NewFolder, single_node: str) -> None:
    """There is nothing to unfold in them, and nothing to follow."""
    folder = new_folder(single_node)
    write_run(folder, [{(): [1.0]}] * 3)
    for number in (1, 3):
        folder.log("client", number).write_text("", encoding="utf-8")
    page = Page(render(folder))
    assert "Empty: client.3.log, client.1.log." in page.text
    assert [ref for ref in page.references if ref.startswith("logs/")] == ["logs/client.2.log"]


@pytest.mark.usefixtures("undrawn")
def test_logs_are_capped(new_folder: NewFolder, single_node: str) -> None:
    """Of a thousand logs the last ones are there, long lines are cut, and the rest is counted."""
    folder = new_folder(single_node)
    write_run(folder, [{(): [1.0]}], seconds=1.0)
    for number in range(1, 1001):
        lines = f"{'x' * 5000}\n" * (100 if number > 980 else 0)
        folder.log("client", number).write_text(f"{lines}end of {number}\n", encoding="utf-8")
    html = render(folder)
    page = Page(html)
    links = [ref for ref in page.references if ref.startswith("logs/")]
    assert links == [f"logs/client.{number}.log" for number in range(1000, 1000 - MOST_LOGS, -1)]
    assert "end of 1000" in page.text
    assert f"{1000 - MOST_LOGS} more logs are in logs/" in page.text
    assert "488.4 KiB" in page.text
    assert len(html) < 500_000


@pytest.mark.usefixtures("undrawn")
def test_artifacts_are_capped(new_folder: NewFolder, single_node: str) -> None:
    """Two hundred have links with their sizes, the rest is counted."""
    folder = new_folder(single_node)
    write_run(folder, [{(): [1.0]}])
    for number in range(250):
        (folder.path / "artifacts" / f"{number:03}.csv").write_text("x" * 2048, encoding="utf-8")
    page = Page(render(folder))
    links = [ref for ref in page.references if ref.startswith("artifacts/")]
    assert (len(links), links[0]) == (200, "artifacts/000.csv")
    assert "2.0 KiB" in page.text
    assert "50 more files are in artifacts/" in page.text
