"""The tags that flow runs are found by: in the UI by people, on the server by automations."""

from __future__ import annotations

from windtunnel.plan import Plan
from windtunnel.secrets import Redaction

TAG = "windtunnel-run"
"""On every flow run of ours, and on nobody else's: by it the server's automations know them."""

JANITOR_TAG = "windtunnel-janitor"
"""On the flow runs of a janitor."""


def run_tags(plan: Plan, redaction: Redaction) -> list[str]:
    """Return the tags that a plan's flow runs are filtered by: its benchmark and its labels, without secrets."""
    labels = redaction.document({"labels": dict(plan.labels)})["labels"]
    return [f"benchmark:{plan.benchmark}", *(f"{key}:{value}" for key, value in sorted(labels.items()))]
