"""Ctrl-C and SIGTERM as a cancel: the walk ends in order instead of being cut."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from windtunnel.run.control import Control


@contextmanager
def signals_cancel(control: Control, *, on_sigterm: Callable[[], object] | None = None) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP cancel the run; a second one skips every grace.

    Python lets only the main thread handle signals; in another one nothing changes.

    Args:
        control: The run's.
        on_sigterm: Called at SIGTERM, in the handler, where that may be something else than a cancel.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def cancel(number: int, _frame: object) -> None:
        if on_sigterm and number == signal.SIGTERM:
            on_sigterm()
        else:
            control.cancel(f"cancelled by {signal.Signals(number).name}")
        message = "stopping; once more stops without grace\n" if not control.is_urgent else "stopping at once\n"
        with contextlib.suppress(OSError):  # nobody may be reading any more, or for now
            if select.select([], [2], [], 0)[1]:
                os.write(2, message.encode())

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    # What is ignored already (nohup, a shell's background job) was meant to be.
    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, cancel) for number in heeded}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
