"""Threads of a run: one that dies of an exception ends the run, and never dies unheard."""

from __future__ import annotations

import threading
from collections.abc import Callable

from windtunnel.run.control import Control


def start_thread(
    control: Control, name: str, work: Callable[[], None], then: Callable[[], None] = lambda: None
) -> threading.Thread:  # noqa: TID251 - a type
    """Start a daemon thread of a run and return it.

    Args:
        control: The run's; an exception of `work` makes it fail, so that the run ends.
        name: The thread's name.
        work: What the thread does.
        then: Called at the end of `work`, after a failure was told; such as to wake threads that wait.
    """

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - told to the run, which raises it
            control.fail(error)
        finally:
            then()

    thread = threading.Thread(target=run, name=name, daemon=True)  # noqa: TID251 - the one place
    thread.start()
    return thread
