"""Signals by their names."""

from __future__ import annotations

import signal


def signal_name(number: int) -> str:
    """Return a signal's name, such as ``SIGKILL``, or its number where it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
