"""What the numbers say: statistics, verdict, plots, report."""

from __future__ import annotations

from importlib.util import find_spec

REPORT_MODULES = ("matplotlib", "jinja2", "pandas", "scipy")


def report_unavailable() -> str | None:
    """Return why reports cannot be made here, or None if they can."""
    missing = [module for module in REPORT_MODULES if find_spec(module) is None]
    return f"pip install 'windtunnel[report]' ({', '.join(missing)})" if missing else None
