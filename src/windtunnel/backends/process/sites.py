"""Where a start of a step is on this machine. No I/O."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from windtunnel.backends.base import Address, Launch
from windtunnel.backends.results import OUT
from windtunnel.backends.unit import Site, member_label
from windtunnel.plan import Job, members_of

LOOPBACK = "127.0.0.1"


def site_of(run: PurePath, label: str, port: int | None, members: int = 1) -> Site:
    """Return a start's address on this machine, and its folders below the run's.

    Args:
        run: The run's folder.
        label: What the start is called.
        port: Its port, if it has one.
        members: How many it starts, each in folders of its own.
    """
    work = run / "work"
    metrics = run / "logs" / f"{label}.metrics.jsonl"
    others = tuple(site_of(run, member_label(label, number), port) for number in range(2, members + 1))
    return Site(Address(LOOPBACK, port), work / label, work / f"{label}.results" / OUT, metrics, others)


def processes_of(launch: Launch[Any]) -> int:
    """Return how many processes a start of a step is."""
    return members_of(launch.step) if isinstance(launch.step, Job) and not launch.installs else 1
