"""A sweep's report: its runs side by side, what became of each, and speed-up where workers are varied."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from support.made import write_sweep
from support.page import Page
from windtunnel.analysis import sweep_report
from windtunnel.analysis.sweep_report import render
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import Cause

THREADS = '"client.env.THREADS" = ["1", "2", "4"]'
SIZES = '"client.env.SIZE" = ["5", "50"]'
Sweep = Callable[..., list[RunFolder]]


def measure(values: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return a rate that grows with the threads, and a metric of which nothing is known."""
    rate = 100.0 * int(values.get("client.env.THREADS", 1))
    return {"rate": [rate - 1, rate, rate + 1], "other": [7.0, 8.0, 9.0]}


@pytest.fixture
def sweep(tmp_path: Path, single_node: str) -> Sweep:
    """Write a sweep over these keys; `changes` are fields of records, by the run's number from 0."""

    def write(
        *matrix: str, changes: Mapping[int, Mapping[str, Any]] | None = None, measure: Any = measure
    ) -> list[RunFolder]:
        text = f'{single_node}\n[client.env]\nTHREADS = "1"\nSIZE = "1"\n[matrix]\n' + "\n".join(matrix)
        return write_sweep(tmp_path / "runs", text, measure, changes)

    return write


def page_of(runs: list[RunFolder], at: Path | None = None, **options: Any) -> Page:
    """Return the report of a sweep as a page."""
    return Page(render(runs, at or runs[0].path.parent, **options))


def test_a_sweep_has_a_whole_report(sweep: Sweep) -> None:
    """A row a run with values, verdict and means; each metric along the axis; speed-up and efficiency with an ideal."""
    page = page_of(sweep(THREADS, SIZES))
    rows = page.rows("Mean of each metric")
    assert set(re.findall(r"""https?://[^\s"'<>)]+""", page.html)) <= {"http://www.w3.org/2000/svg"}

    assert "6 of 6 runs are valid" in page.text
    assert rows[0] == ["run", "client.env.THREADS", "client.env.SIZE", "verdict", "rate", "other"]
    assert rows[3] == ["3", "2", "5", "valid", "200 ± 2.48 1/s", "8 ± 2.48"]
    assert len(rows) == 7
    assert page.rows("rate: speed-up")[3] == ["5", "4", "4", "3.9 to 4.105", "100 %", "97.5 to 102.6 %"]
    assert page.rows("rate")[-1][-5:] == ["3", "400", "397.5 to 402.5", "400", "1"]
    titles = [caption.text.split("Means")[0].split(" At ")[0].strip() for caption in page.all("figcaption")]
    assert [title.split(".")[0] for title in titles] == [
        "rate: speed-up over client",
        "rate: efficiency over client",
        "rate",
        "other",
    ]
    assert page.text.count("ideal") == 2
    assert (
        "No speed-up of other (client.env.SIZE = 5), other (client.env.SIZE = 50): the benchmark does not say"
        in " ".join(page.text.split())
    )


@pytest.mark.usefixtures("undrawn")
def test_runs_that_are_not_valid_are_shown_as_what_they_are(sweep: Sweep) -> None:
    """The reason is at the top, in its row and in place of a speed-up; HTML in it is text."""
    cause = Cause(code="unschedulable", message="2 of 3 <b>would fit</b>")
    changes: dict[int, dict[str, Any]] = {
        1: {"validity": "suspect", "reasons": ["client was starved of CPU"]},
        2: {"validity": None, "status": "failed", "exit_code": 3, "metrics": {}, "cause": cause},
    }
    page = page_of(sweep(THREADS, changes=changes))
    verdict = next(element for element in page.elements if element.attributes.get("id") == "verdict")

    assert "1 of 3 runs is valid" in " ".join(verdict.text.split())
    assert "client.env.THREADS = 2: suspect: client was starved of CPU" in verdict.text
    assert "client.env.THREADS = 4: failed: 2 of 3 <b>would fit</b>" in verdict.text
    assert "b" not in page.tags
    assert [row[2:] for row in page.rows("Mean of each metric")[2:]] == [
        ["suspect", "200 ± 2.48 1/s", "8 ± 2.48"],
        ["failed", "–", "–"],
    ]
    assert page.rows("rate: speed-up")[2:] == [
        ["2", "suspect: client was starved of CPU"],
        ["4", "failed: 2 of 3 <b>would fit</b>"],
    ]
    # The run with which all others are compared is no speed-up to be drawn.
    assert not [caption for caption in page.all("figcaption") if "speed-up" in caption.text]


@pytest.mark.usefixtures("undrawn")
def test_a_sweep_without_workers_has_no_speed_up(sweep: Sweep) -> None:
    """Unless one of its keys is named; one that cannot be is refused."""
    runs = sweep('"run.repeats" = [3, 4]')
    assert "Speed-up" not in page_of(runs).text
    assert "Over run.repeats, from 3" in page_of(runs, workers=["run.repeats"]).text


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("matrix", [THREADS, '"client.env.THREADS" = ["8"]'])
def test_a_sweep_of_which_nothing_can_be_used_has_a_report(sweep: Sweep, matrix: str) -> None:
    """It tells that there is nothing to compare."""
    lost: dict[str, Any] = {"validity": None, "status": "failed", "metrics": {}}
    page = page_of(sweep(matrix, changes=dict.fromkeys(range(3), lost)))
    assert "There is nothing to compare" in page.text
    assert "No run measured anything" in page.text
    doubt = {"validity": "suspect", "reasons": ["client was starved"]}
    assert "nothing is compared" in page_of(sweep(matrix, changes=dict.fromkeys(range(3), doubt))).text
    assert page.misnested == []


@pytest.mark.usefixtures("undrawn")
def test_combinations_without_a_run_are_counted(sweep: Sweep) -> None:
    """A sweep that was cancelled looks like no whole one; also without the benchmark that tells of it."""
    runs = sweep(THREADS, SIZES)
    assert "The matrix has 6 combinations; 1 has a run." in page_of(runs[:1]).text
    (runs[0].path / "benchmark.toml").unlink()
    assert "combinations" not in page_of(runs[:1]).text


@pytest.mark.usefixtures("undrawn")
def test_machines_that_differ_are_told(sweep: Sweep) -> None:
    """What bends a comparison is at the top, the rest in its table; the load always differs."""
    runs = sweep(THREADS)
    for number, folder in enumerate(runs):
        facts = {"kernel": f"Linux {number // 2}", "cpus": 4, "host": f"h{number}", "load_average": [float(number)]}
        (folder.path / "environment.json").write_text(json.dumps(facts), encoding="utf-8")
    page = page_of(runs)
    assert "machines that differ in kernel (see" in page.text
    told = dict(page.rows("The machines"))
    assert told["kernel"] == "differs: Linux 0 (2 runs); Linux 1 (1 run)"
    assert told["cpus"] == "4"
    assert told["host"] == "differs: h0 (1 run); h1 (1 run); h2 (1 run)"
    assert "load average" not in told


@pytest.mark.usefixtures("undrawn")
def test_where_ranks_ran_is_told_of_each_run(sweep: Sweep) -> None:
    """How many on which node, by which launcher; without one how many members; versions that differ are at the top."""
    members = [{"name": "gang-0", "node": "n1", "ranks": [0, 1]}, {"name": "gang-1", "node": "n1", "ranks": [2]}]
    gangs = [
        {
            "gang": {
                "implementation": "openmpi",
                "version": "4.1.4",
                "members": [*members, {"name": "gang-2", "ranks": []}],
            }
        },
        {"client": {"members": [{"name": "client-0", "node": "n1"}, {"name": "client-1", "node": "n2"}]}},
        "damaged",
    ]
    runs = sweep(THREADS)
    for folder, gang in zip(runs, gangs, strict=True):
        (folder.path / "environment.json").write_text(json.dumps({"gangs": gang}), encoding="utf-8")
    page = page_of(runs)
    assert [row[-1] for row in page.rows("Where the workers")[1:]] == [
        "n1: 3 ranks, gang-2: 0 ranks (openmpi 4.1.4)",
        "n1: 1 member, n2: 1 member",
        "–",
    ]
    assert "machines that differ" not in page.text
    other = {"gang": {"implementation": "openmpi", "version": "5.0.8", "members": members}}
    (runs[1].path / "environment.json").write_text(json.dumps({"gangs": other}), encoding="utf-8")
    assert "machines that differ in the version of openmpi" in page_of(runs).text


@pytest.mark.usefixtures("undrawn")
def test_links_lead_to_the_runs_from_wherever_the_report_lies(sweep: Sweep, tmp_path: Path) -> None:
    """To the report of a run that has one, else to its folder."""
    runs = sweep(THREADS)
    (runs[1].path / "report.html").write_text("", encoding="utf-8")
    (tmp_path / "reports").mkdir()
    links = [ref for ref in page_of(runs, tmp_path / "reports").references if not ref.startswith("#")]
    found = [(tmp_path / "reports" / link).resolve() for link in links]
    assert found == [runs[0].path, runs[1].path / "report.html", runs[2].path]


@pytest.mark.long
def test_lines_that_have_no_colour_are_left_to_the_table(sweep: Sweep) -> None:
    """Of ten lines six are drawn, and the caption says so."""
    sizes = json.dumps([str(size) for size in range(10)])
    page = page_of(sweep(THREADS, f'"client.env.SIZE" = {sizes}'))
    assert page.text.count("6 of 10 lines are drawn; the table has all.") == 4
    assert len(page.rows("rate: speed-up")) == 31


@pytest.mark.usefixtures("undrawn")
def test_of_many_runs_and_metrics_the_first_are_shown(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many more there are is told, in each table."""
    monkeypatch.setattr(sweep_report, "_MOST_RUNS", 4)

    def many(_values: Mapping[str, Any]) -> dict[str, list[float]]:
        return {"rate": [1.0, 2.0, 3.0]} | {f"metric_{number}": [1.0, 2.0, 3.0] for number in range(20)}

    page = page_of(sweep(THREADS, SIZES, measure=many))
    assert [len(page.rows(table)) for table in ("Mean of each metric", "rate: speed-up", "metric_14")] == [5, 5, 5]
    assert "2 more runs are in the store" in page.text
    assert "2 more runs are in `windtunnel show --json`" in page.text
    assert "5 more metrics are in the reports of the runs" in page.text
    assert "metric_15" not in "".join(" ".join(row) for row in page.rows("Mean of each metric"))


def test_true_and_false_are_written_as_in_a_benchmark(sweep: Sweep) -> None:
    """In tables and at the axis."""
    page = page_of(sweep('"run.fresh" = [true, false]'))
    assert [row[1] for row in page.rows("Mean of each metric")[1:]] == ["true", "false"]
    assert "true" in page.all("svg")[0].text


def test_any_value_of_a_key_is_text(sweep: Sweep) -> None:
    """In tables, at the axis and in a legend."""
    words = ["<i>text</i>", "$x$ & y", "_hidden", "größe", "a" * 300]
    page = page_of(sweep(f'"client.env.SIZE" = {json.dumps(words)}', '"client.env.KIND" = ["<u>", "&amp;"]'))
    plot = page.all("svg")[0].text
    assert [row[1] for row in page.rows("Mean of each metric")[1::2]] == words
    assert [word for word in (*(word[:17] for word in words), "<u>", "&amp;") if word not in plot] == []
    assert {"i", "u"}.isdisjoint(page.tags)
    assert page.misnested == []
