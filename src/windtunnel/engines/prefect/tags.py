"""The tags that flow runs are found by: in the UI by people, on the server by automations."""

from __future__ import annotations

from windtunnel.plan import Plan

TAG = "windtunnel-run"
"""On every flow run of ours, and on nobody else's: by it the server's automations know them."""


def run_tags(plan: Plan) -> list[str]:
    """Return the tags that a plan's flow runs are filtered by: its benchmark and its labels."""
    return [f"benchmark:{plan.benchmark}", *(f"{key}:{value}" for key, value in sorted(plan.labels.items()))]
