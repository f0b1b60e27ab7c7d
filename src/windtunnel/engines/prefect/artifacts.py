"""What a run leaves in Prefect's UI: its result as a table, its report, and its plots."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from prefect.logging import get_run_logger

from windtunnel.analysis import report_unavailable
from windtunnel.engines.prefect.outcome_state import sentence
from windtunnel.engines.prefect.report_link import REPORT, ReportLink, report_link
from windtunnel.printable import printable
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord

_LOGS = 5


def publish_result(folder: RunFolder) -> None:
    """Publish the metrics that a run has measured as a table; nothing if it measured none.

    Prefect's UI takes descriptions, and each text in a table, for Markdown.
    """
    record = folder.read_record()
    if record.metrics:
        rows = [
            {key: _text(value, but="_|#") if isinstance(value, str) else value for key, value in row.items()}
            for row in result_rows(record)
        ]
        description = f"{record.run_id}: {_text(sentence(record), but='_|#')}"
        create_table_artifact(rows, key=f"{record.benchmark}-result", description=description)


def result_rows(record: RunRecord) -> list[dict[str, Any]]:
    """Return a row for each metric: name, unit, iterations, mean with interval, median, percentiles."""
    return [
        {
            "metric": name,
            "unit": metric.unit or "",
            "n": metric.n,
            "mean": _rounded(metric.mean),
            "95 % interval": " to ".join(str(_rounded(end)) for end in metric.ci95) if metric.ci95 else "–",
            "median": _rounded(metric.median),
            "p90": _rounded(metric.p90),
            "p99": _rounded(metric.p99),
        }
        for name, metric in record.metrics.items()
    ]


def write_report(record: RunRecord) -> None:
    """Write a run's HTML report into its folder, whole or not at all; nothing without the ``report`` extra."""
    if report_unavailable():
        return
    from windtunnel.analysis.report import render

    folder = RunFolder(Path(record.path or ""))
    try:
        folder.write_text(REPORT, render(folder))
    except Exception as error:  # noqa: BLE001 - a report is worth a warning, the result is worth more
        get_run_logger().warning("no report: %s: %s", type(error).__name__, error)


def publish_report(record: RunRecord) -> None:
    """Publish a run's report: a page with the plots in it and a link to the whole, then each plot as an image.

    Without the ``report`` extra the page has the verdict, the numbers and the last lines only.
    """
    folder = RunFolder(Path(record.path or ""))
    images: dict[str, str] = {}
    if not report_unavailable():
        from windtunnel.analysis.images import png_plots

        try:
            images = {name: _data_url(png) for name, png in png_plots(folder).items()}
        except Exception as error:  # noqa: BLE001 - a page without plots still has the verdict
            get_run_logger().warning("no plots: %s: %s", type(error).__name__, error)
    link = report_link(record)
    create_markdown_artifact(
        _page(record, folder, images, link), key=f"{record.benchmark}-report", description=f"Report of {record.run_id}"
    )
    if link and link.url and link.is_public:
        create_link_artifact(
            link.url,
            link_text=f"Report of {record.run_id}",
            key=f"{record.benchmark}-page",
            description=f"The whole report: {_text(link.place)}",
        )
    for name, url in images.items():
        create_image_artifact(url, key=f"{record.benchmark}-{name}", description=f"{name} of {record.run_id}")


def _page(record: RunRecord, folder: RunFolder, images: dict[str, str], link: ReportLink | None) -> str:
    lines = [f"# {record.benchmark}: {record.validity or record.status}", "", _text(sentence(record)), ""]
    lines += [f"- {_text(reason)}" for reason in record.reasons]
    if link:
        opened = f"[Open the whole report]({link.url})" if link.url else "The whole report"
        lines += ["", f"{opened} (`{link.place}`)"]
    rows = result_rows(record)
    if rows:
        lines += ["", "## Metrics", "", f"| {' | '.join(rows[0])} |", f"|{'---|' * len(rows[0])}"]
        lines += [f"| {' | '.join(_text(value) for value in row.values())} |" for row in rows]
    for name, url in images.items():
        lines += ["", f"## {name.capitalize()}", "", f"![{name} of {record.run_id}]({url})"]
    if record.resources.left:
        lines += ["", "## Left behind", "", *(f"- {_text(left)}" for left in record.resources.left)]
    for name, end in _last_lines(record, folder):
        lines += ["", f"## Last lines of {name}", "", *(f"    {line}" for line in end)]
    return "\n".join(lines)


def _last_lines(record: RunRecord, folder: RunFolder) -> list[tuple[str, Sequence[str]]]:
    """Return the ends of the logs that tell most: first of all what failed."""
    if report_unavailable():
        return [(record.cause.step or "the run", record.cause.log_tail)] if record.cause else []
    from windtunnel.analysis.detail import load_detail
    from windtunnel.analysis.logs import last_lines

    logs, _left_out = last_lines(folder.path, load_detail(folder).iterations(), record.cause)
    return [(log.name, log.lines) for log in logs[:_LOGS] if log.lines]


def _text(value: object, but: str = "") -> str:
    """Return a value as text that Markdown leaves as it is; `but` are characters that do nothing where it stands."""
    text = printable(str(value)).replace("\n", " ")
    for character in "\\`*_[]<>|#":
        if character not in but:
            text = text.replace(character, f"\\{character}")
    return text


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")
