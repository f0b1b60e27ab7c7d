"""Where a start of a step is on this machine. No I/O."""

from __future__ import annotations

from pathlib import PurePath

from windtunnel.backends.base import Address
from windtunnel.backends.results import OUT
from windtunnel.backends.unit import Site

LOOPBACK = "127.0.0.1"


def site_of(run: PurePath, label: str, port: int | None) -> Site:
    """Return a start's address on this machine, and its folders below the run's.

    Args:
        run: The run's folder.
        label: What the start is called.
        port: Its port, if it has one.
    """
    work = run / "work"
    metrics = run / "logs" / f"{label}.metrics.jsonl"
    return Site(Address(LOOPBACK, port), work / label, work / f"{label}.results" / OUT, metrics)
