"""A run's report: one HTML file with everything in it, verdict first."""

from __future__ import annotations

import json
import os
from datetime import datetime
from typing import TYPE_CHECKING, Any

from windtunnel.analysis.recover import recover
from windtunnel.errors import UsageError
from windtunnel.run.folder import RunFolder, tail
from windtunnel.run.journal import UsageSample
from windtunnel.run.store import read_run

if TYPE_CHECKING:
    from windtunnel.run.record import RunRecord

_PLOTTED_METRICS = 24
_LOG_LINES = 30


def render(folder: RunFolder) -> str:
    """Return the report of a run as HTML that needs no other file.

    Raises:
        UsageError: The run has no record, or the ``report`` extra is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, select_autoescape
        from markupsafe import Markup

        from windtunnel.analysis import plots
    except ImportError as error:
        raise UsageError(f"{error.name} is missing: pip install 'windtunnel[report]'") from None

    record = recover(folder, read_run(folder))
    usage = [UsageSample(**line) for line in folder.lines("usage")]
    drawn = list(record.metrics.items())[:_PLOTTED_METRICS]
    environment = Environment(
        loader=PackageLoader("windtunnel.analysis"), autoescape=select_autoescape(["html.j2", "html"]), trim_blocks=True
    )
    environment.filters |= {"number": _number, "seconds": _seconds}
    # matplotlib made the SVG, from numbers and escaped names: it is markup, not text.
    return environment.get_template("report.html.j2").render(
        record=record,
        values={name: Markup(plots.plot_values(name, metric)) for name, metric in drawn},  # noqa: S704
        usage=Markup(plots.plot_usage(usage, _started(record))) if usage else None,  # noqa: S704
        timeline=Markup(plots.plot_timeline(record.phases)) if record.phases else None,  # noqa: S704
        host={key: _fact(key, value) for key, value in _read_json(folder, "environment.json").items()},
        notes=[line for line in folder.lines("events") if line["type"] == "note"],
        logs={path.name: tail(path, _LOG_LINES) for path in sorted((folder.path / "logs").glob("*.log"))},
        artifacts=sorted(
            os.fsencode(p.relative_to(folder.path)).decode(errors="replace")
            for p in folder.path.glob("artifacts/**/*")
            if p.is_file()
        ),
        benchmark=(folder.path / "benchmark.toml").read_text(encoding="utf-8"),
    )


def _started(record: RunRecord) -> float:
    return datetime.fromisoformat(record.started or "1970-01-01T00:00:00Z").timestamp()


def _read_json(folder: RunFolder, name: str) -> dict[str, Any]:
    path = folder.path / name
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _fact(key: str, value: Any) -> Any:
    if key == "memory":
        return f"{value / 2**30:.1f} GiB"
    if isinstance(value, list):
        return ", ".join(_number(item) if isinstance(item, float) else str(item) for item in value)
    return value


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"  # noqa: PLR2004


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
