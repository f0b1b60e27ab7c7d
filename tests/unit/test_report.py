"""A run's report: one HTML file that needs no other, whatever the run left."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support.page import Page
from windtunnel.analysis.report import render
from windtunnel.backends.recording import Outcome, RecordingBackend
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import UsageSample
from windtunnel.run.record import FailureCount, ResourceCount, RunRecord, Status, Validity

RunRecorded = Callable[..., RunRecord]
NAMESPACES = {"http://www.w3.org/2000/svg"}


@pytest.fixture
def measured(run_recorded: RunRecorded, client_server: str) -> Callable[..., RunFolder]:
    """The folder of a run with three iterations, whose client writes this output too."""

    def run(output: str = "", text: str = client_server) -> RunFolder:
        outcomes = [Outcome(output=f"rate={number}\n{output}\n") for number in (18, 20, 22)]
        record = run_recorded(text + "\n[run]\nrepeats = 3\n", RecordingBackend({"client": outcomes}))
        return RunFolder(Path(record.path or ""))

    return run


def name_a_metric(folder: RunFolder, name: str, unit: str | None = "ms") -> None:
    """Let a run have a metric with this name and unit."""
    record = folder.read_record()
    record.metrics[name] = record.metrics["rate"].model_copy(update={"unit": unit})
    folder.write_record(record)


def test_a_measured_run_has_a_whole_report(measured: Callable[..., RunFolder]) -> None:
    """Verdict, metrics with their plots, timeline, environment, logs and the benchmark are there."""
    folder = measured()
    folder.append("usage", UsageSample("server", 1.0, 0.5, 0.5, None, 2**20, 1).to_json())
    folder.append("usage", UsageSample("client", 1.5, 0.5, 0.5, 0.1, 2**20, 1).to_json())
    folder.append("events", {"time": "2026-01-01T00:00:00.000Z", "type": "note", "message": "mind the gap"})
    folder.close()
    page = Page(render(folder))
    for words in (
        "valid",
        "rate",
        "1/s",
        "Timeline",
        "Resources",
        "kernel",
        "client.3.log",
        "mind the gap",
        "[server]",
    ):
        assert words in page.text
    assert page.tags.count("svg") == 3
    assert page.tags.count("h1") == 1


@pytest.mark.usefixtures("undrawn")
def test_what_strikes_of_the_iterations_is_remarked(run_recorded: RunRecorded, single_node: str) -> None:
    """A first one that is off may still be warm-up; all of them count all the same."""
    outcomes = [Outcome(output=f"rate={value}") for value in (30, 20, 20.1, 19.9, 20, 20.2, 19.8, 20, 20.1, 19.9)]
    record = run_recorded(single_node + "\n[run]\nrepeats = 10\n", RecordingBackend({"client": outcomes}))
    page = Page(render(RunFolder(Path(record.path or ""))))

    assert record.metrics["rate"].n == len(outcomes)
    assert "rate: the first value, 30, is far above all others" in page.text
    assert "about this run: another one may well lie outside of it" in page.text


@pytest.mark.usefixtures("undrawn")
def test_what_the_platform_says_of_itself_is_shown(run_recorded: RunRecorded, single_node: str) -> None:
    """Names and values in one line, without what is not known."""
    platform = {
        "images": {"client": {"image": "redis:7", "digest": None}},
        "docker": {"memory": 2**30},
        "nodes": {"node1": {"capacity": {"memory": "24616480Ki"}}},
    }
    record = run_recorded(single_node, RecordingBackend(environment=platform))
    page = Page(render(RunFolder(Path(record.path or ""))))
    assert "client: image: redis:7" in page.text
    assert "digest" not in page.text
    assert "memory: 1.0 GiB" in page.text
    assert "node1: capacity: memory: 24616480Ki" in page.text


def test_a_report_refers_to_nothing_outside(measured: Callable[..., RunFolder]) -> None:
    """Nothing is loaded: no address but the namespace of SVG, no script, no import."""
    folder = measured()
    (folder.path / "artifacts" / "client.1").mkdir()
    (folder.path / "artifacts" / "client.1" / "out.csv").write_text("", encoding="utf-8")
    html = render(folder)
    page = Page(html)
    assert set(re.findall(r"""https?://[^\s"'<>)]+""", html)) <= NAMESPACES
    assert [ref for ref in page.references if not ref.startswith(("#", "artifacts/", "logs/"))] == []
    assert "artifacts/client.1/out.csv" in page.references
    assert {"script", "link", "iframe", "object", "embed", "img", "base"}.isdisjoint(page.tags)
    assert "@import" not in html


@pytest.mark.usefixtures("undrawn")
def test_a_report_of_a_benchmark_with_addresses_loads_none_of_them(
    measured: Callable[..., RunFolder], client_server: str
) -> None:
    """An address in the benchmark's text or in a log is text."""
    folder = measured('<img src="http://127.0.0.1/x">', client_server + "\n# http://127.0.0.1/y\n")
    page = Page(render(folder))
    assert "http://127.0.0.1/x" in page.text
    assert "http://127.0.0.1/y" in page.text
    assert [ref for ref in page.references if not ref.startswith(("#", "logs/"))] == []


@pytest.mark.usefixtures("undrawn")
def test_html_in_logs_and_messages_is_text(measured: Callable[..., RunFolder]) -> None:
    """What a program writes cannot become part of the page."""
    folder = measured("<script>alert(1)</script> &amp;")
    record = folder.read_record()
    record.reasons = ["<b>bold</b>"]
    folder.write_record(record)
    folder.append("events", {"time": "", "type": "note", "step": "client", "message": "<i>note</i>"})
    folder.close()
    page = Page(render(folder))
    assert {"script", "b", "i"}.isdisjoint(page.tags)
    assert page.misnested == []
    for words in ("<script>alert(1)</script> &amp;", "<b>bold</b>", "<i>note</i>"):
        assert words in page.text


@pytest.mark.usefixtures("only_values_drawn")
@pytest.mark.parametrize(
    "name",
    [
        "<b>rate</b>",
        'rate{say="hi"}',
        "rate & time",
        "latency{path=C:\\data}",
        "latency{path=\\1\\g<0>}",
        "latency{price=$5$}",
        "größe{σ=µ}",
    ],
)
def test_any_name_of_a_metric_is_text(measured: Callable[..., RunFolder], name: str) -> None:
    """Names come from programs: whatever they are, they stand in the table as they are."""
    folder = measured()
    name_a_metric(folder, name)
    page = Page(render(folder))
    assert name in page.text
    assert name in [row[0] for row in page.rows("Over iterations")][-1]
    assert "b" not in page.tags
    assert page.misnested == []


@pytest.mark.usefixtures("only_values_drawn")
@pytest.mark.parametrize("unit", ["<b>", "$", "$5 per $10", "$\\frac{$", "req/s & more", "µs", "100%", None])
def test_any_unit_of_a_metric_is_text(measured: Callable[..., RunFolder], unit: str | None) -> None:
    """In the table and beside the plot, a unit is not taken for markup, nor for a formula."""
    folder = measured()
    name_a_metric(folder, "latency", unit)
    page = Page(render(folder))
    assert page.text.count(unit or "value") >= (2 if unit else 1)
    assert "b" not in page.tags


@pytest.mark.usefixtures("undrawn")
def test_artifacts_with_any_name_can_be_followed(measured: Callable[..., RunFolder]) -> None:
    """A link to an artifact leads to its file, also when its name has signs that addresses give a meaning."""
    folder = measured()
    (folder.path / "artifacts" / "a#b?c%20d.csv").write_text("", encoding="utf-8")
    assert "artifacts/a%23b%3Fc%2520d.csv" in Page(render(folder)).references


def test_many_metrics_are_all_in_the_table(measured: Callable[..., RunFolder]) -> None:
    """Only the plots are limited in number."""
    folder = measured()
    for number in range(30):
        name_a_metric(folder, f"metric_{number:02}")
    page = Page(render(folder))
    assert "metric_29" in page.text
    assert page.tags.count("svg") == 5


@pytest.mark.usefixtures("undrawn")
def test_labels_overrides_and_what_was_left_are_told_as_they_are(measured: Callable[..., RunFolder]) -> None:
    """They stand in the report, and HTML in them is text."""
    folder = measured()
    record = folder.read_record()
    record.labels = {"team": "<em>caching</em>"}
    record.overrides = ["run.repeats=<u>3</u>"]
    record.resources = ResourceCount(created=2, gone=1, left=["<s>server</s>"])
    folder.write_record(record)
    page = Page(render(folder))
    for words in ("team = <em>caching</em>", "run.repeats=<u>3</u>", "Left behind: <s>server</s>"):
        assert words in page.text
    assert {"em", "u", "s"}.isdisjoint(page.tags)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("validity", "status", "words"),
    [
        ("valid", "succeeded", "These numbers can be used"),
        ("suspect", "succeeded", "Read the reasons"),
        ("invalid", "failed", "There are no numbers to use"),
        (None, "failed", "ended before anything was measured"),
        (None, "running", "still going on"),
    ],
)
def test_the_verdict_says_what_it_means(
    measured: Callable[..., RunFolder], validity: Validity | None, status: Status, words: str
) -> None:
    """A person who reads the word for the first time is told whether the numbers can be used."""
    folder = measured()
    record = folder.read_record()
    record.validity, record.status, record.reasons = validity, status, ["because of the weather"]
    folder.write_record(record)
    page = Page(render(folder))
    verdict = next(element for element in page.elements if element.attributes.get("id") == "verdict")
    assert words in verdict.text
    assert "because of the weather" in verdict.text
    assert page.text.index("because of the weather") < page.text.index("Over iterations")


@pytest.mark.usefixtures("undrawn")
def test_links_lead_to_the_run_from_wherever_the_report_lies(
    measured: Callable[..., RunFolder], tmp_path: Path
) -> None:
    """A report that is written elsewhere refers to the files in the run's folder."""
    folder = measured()
    (tmp_path / "reports").mkdir()
    page = Page(render(folder, tmp_path / "reports"))
    links = [ref for ref in page.references if not ref.startswith("#")]
    assert len(links) == 3
    assert all((tmp_path / "reports" / link).is_file() for link in links)
    assert all((folder.path / ref).is_file() for ref in Page(render(folder, folder.path)).references if ref[0] != "#")


@pytest.mark.usefixtures("undrawn")
def test_a_report_is_written_by_the_command(
    measured: Callable[..., RunFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is UTF-8 in the run's folder, and standard output says where."""
    from windtunnel.cli.reports import write_report

    folder = measured("größe")
    write_report(folder.path)
    assert "größe" in (folder.path / "report.html").read_text(encoding="utf-8")
    assert capsys.readouterr().out == f"report: {folder.path / 'report.html'}\n"
    assert json.loads((folder.path / "run.json").read_text(encoding="utf-8"))["status"] == "succeeded"


@pytest.mark.usefixtures("undrawn")
def test_what_traced_steps_asked_of_the_kernel_is_shown(measured: Callable[..., RunFolder]) -> None:
    """The system calls that took most of the time, of how many; a run without a trace has no such section."""
    folder = measured()
    assert "System calls" not in Page(render(folder)).text
    calls = [{"name": f"call{n}", "calls": 2, "seconds": 0.5 / n, "errors": {"EAGAIN": n}} for n in range(1, 21)]
    for number in (1, 2):
        target = folder.path / "artifacts" / f"client.{number}"
        target.mkdir()
        (target / "strace.json").write_text(json.dumps({"step": "client", "system_calls": calls}))
    page = Page(render(folder))

    assert "client: 80 calls, 420 of them failed, 3.60 s in all, over 2 starts" in page.text
    assert "call15" in page.text
    assert "call16" not in page.text
    assert "5 more system calls, which took less time, are in the artifacts" in page.text


@pytest.mark.usefixtures("undrawn")
def test_failed_requests_are_told_beside_the_results(measured: Callable[..., RunFolder]) -> None:
    """How many of how many, and who says so: also where none failed."""
    folder = measured()
    record = folder.read_record()
    record.failures = [
        FailureCount(step="client", source="wrk", requests=1749, failures=0),
        FailureCount(step="client", source="metrics", requests=None, failures=2),
    ]
    folder.write_record(record)
    page = Page(render(folder))
    assert "0 of 1,749 requests failed (wrk)." in page.text
    assert "2 requests failed, and no metric called requests in the same unit says of how many." in page.text
