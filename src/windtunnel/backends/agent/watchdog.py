"""The wait for the end of a run, beside its driver: whatever ends the driver, what it started ends too."""

from __future__ import annotations

import json
import os
import select
import signal
import time

from windtunnel.backends.agent.protocol import VERSION, send

POLL_SECONDS = 0.25

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Watchdog:
    """Obeys the driver until its end: that of standard input, another parent, the deadline, or SIGTERM.

    Args:
        driver: The driver's process id.
        seconds: How long it may take, from now on.
    """

    def __init__(self, driver: int, seconds: float) -> None:
        self.driver, self.deadline = driver, time.monotonic() + seconds
        self.buffer = b""
        self.is_over = False
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def stop(self, _number: int, _frame: object) -> None:
        """End the wait (SIGTERM)."""
        self.is_over = True

    def watch(self, others: tuple[int, ...] = ()) -> None:
        """Return when the driver is gone or says so, or the deadline is over.

        Args:
            others: Descriptors that are looked at too, by `look`.
        """
        send({"hello": VERSION})
        while not self.is_over:
            readable, _, _ = select.select([0, *others], [], [], POLL_SECONDS)
            self.look(readable)
            if 0 in readable:
                self.read()
            # A child of the driver may hold the pipe open after the driver is gone.
            if os.getppid() != self.driver or time.monotonic() > self.deadline:
                self.is_over = True

    def read(self) -> None:
        """Obey every whole line that has come; an end of file ends the wait."""
        chunk = os.read(0, 1 << 20)
        *lines, self.buffer = (self.buffer + chunk).split(b"\n")
        for line in lines:
            self.obey(json.loads(line))
        self.is_over = self.is_over or not chunk

    def look(self, readable: list[int]) -> None:
        """Look at other descriptors that can be read."""

    def obey(self, request: dict[str, Any]) -> None:
        """Do what the driver asks for."""
        raise NotImplementedError
