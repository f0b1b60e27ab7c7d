"""What the pages of runs and sweeps share: the template, a folder's files, facts in words, and links."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windtunnel.analysis import formatting, report_unavailable
from windtunnel.errors import UsageError
from windtunnel.run.folder import RunFolder

if TYPE_CHECKING:
    from jinja2 import Template


def load_template(name: str) -> Template:
    """Return a page's template.

    Raises:
        UsageError: The ``report`` extra is not installed.
    """
    if reason := report_unavailable():
        raise UsageError(f"a report needs its extra: {reason}")
    from jinja2 import Environment, PackageLoader, select_autoescape

    from windtunnel.analysis.plots.palette import DARK, LIGHT

    environment = Environment(
        loader=PackageLoader("windtunnel.analysis"),
        autoescape=select_autoescape(["html.j2", "html"]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"light": LIGHT, "dark": DARK}
    environment.filters |= {
        "failed": formatting.failed,
        "number": formatting.number,
        "seconds": formatting.seconds,
        "size": formatting.size,
        "spread": formatting.spread,
        "status": formatting.status,
    }
    return environment.get_template(name)


def relative(folder: Path, at: Path) -> str:
    """Return what leads from folder `at` to another one, with a slash at its end; nothing if they are one."""
    path = os.path.relpath(folder.resolve(), at.resolve())
    return "" if path == "." else f"{path}/"


def read_json(folder: RunFolder, name: str) -> Mapping[str, Any]:
    """Return the object in a file of JSON that a damaged run may lack; nothing then."""
    try:
        data = json.loads(read_text(folder, name))
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def read_text(folder: RunFolder, name: str) -> str:
    """Return the text of a file that a damaged run may lack; nothing then."""
    try:
        return (folder.path / name).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def fact(key: str, value: Any) -> Any:
    """Return a fact of ``environment.json`` as a person reads it."""
    if key == "memory" and isinstance(value, int | float):
        return formatting.size(value)
    if isinstance(value, dict):
        return "; ".join(f"{name}: {fact(name, item)}" for name, item in value.items() if item is not None)
    if isinstance(value, list):
        return ", ".join(formatting.number(item) if isinstance(item, float) else str(item) for item in value)
    return value
