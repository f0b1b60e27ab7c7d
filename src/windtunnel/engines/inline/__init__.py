"""The inline engine: the walk with plain calls, in this process. The default and the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from windtunnel.engines.execute import execute
from windtunnel.engines.interrupts import signals_cancel
from windtunnel.engines.request import Request
from windtunnel.run.record import RunRecord

T = TypeVar("T")


def run(request: Request) -> RunRecord:
    """Run a request here and now.

    Raises:
        UsageError: The store cannot be written; nothing was started.
    """
    with signals_cancel(request.control):
        return execute(request, "inline", call_directly)


def call_directly(_name: str, act: Callable[[], T]) -> T:
    """Call an act as it is; the name is for engines that show one."""
    return act()
