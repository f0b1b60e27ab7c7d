"""The driver's side of Docker's warden."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from windtunnel.backends.agent.channels import Pipe
from windtunnel.backends.agent.client import Client
from windtunnel.backends.agent.spawn import lost_warden, start_warden
from windtunnel.backends.docker.daemon import Daemon
from windtunnel.backends.docker.warden import sweep
from windtunnel.backends.notifier import Notifier
from windtunnel.errors import PlatformError

START_SECONDS = 10.0
CLOSE_SECONDS = 60.0
_PROGRAM = "docker.warden"
DAEMON_LOST = "daemon_lost"
"""The code of errors that tell that the daemon did not answer."""


class WardenClient:
    """A warden that was started; `wait_ready` has to be called before the first resource is made.

    Args:
        notifier: The run's, which hears of its end.
        run_id: The run whose resources it removes.
        seconds: When it does so at the latest, from now on.
        errors: Where it writes what went wrong.
    """

    def __init__(self, notifier: Notifier, run_id: str, seconds: float, errors: Path) -> None:
        self._run_id, self._errors = run_id, errors
        self._is_closed = False
        self.is_lost = False
        self._process = start_warden(_PROGRAM, seconds, run_id, errors)
        self._pipe = Pipe(self._process)
        self._client = Client(self._pipe, who="the warden")
        self._reader = notifier.start_thread("warden", self._hear)

    def wait_ready(self) -> None:
        """Wait until it stands (PlatformError if it does not)."""
        try:
            self._client.await_hello(START_SECONDS)
        except OSError:
            self.close()
            raise PlatformError(f"the warden did not start; see {self._errors}", code="warden_failed") from None

    @contextmanager
    def creating(self, name: str) -> Iterator[None]:
        """Tell the warden that a resource is about to be made, and that the daemon answered."""
        self._tell("create", name=name)
        try:
            yield
        except PlatformError as error:
            if error.code != DAEMON_LOST:  # else it may be made yet
                self._tell("created", name=name)
            raise
        self._tell("created", name=name)

    def check(self) -> None:
        """Raise PlatformError if the warden has ended by itself."""
        if self.is_lost:
            raise lost_warden(self._process, self._errors, "nothing may be left to run without it")

    def close(self) -> None:
        """End the run's resources and the warden, or do its work if it is lost. Again is harmless."""
        if self._is_closed:
            return
        self._is_closed = True
        with contextlib.suppress(PlatformError):
            self._tell("end")
        self._client.close()
        self._process.send_signal(signal.SIGCONT)  # somebody may have stopped it
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.is_lost = True
        self._reader.join(1)
        if self.is_lost:
            sweep(Daemon(), self._run_id)
        if not self._errors.stat().st_size:
            self._errors.unlink()

    def _tell(self, deed: str, **arguments: Any) -> None:
        try:
            self._client.tell(deed, **arguments)
        except OSError:
            self.is_lost = True
            self.check()

    def _hear(self) -> None:
        try:
            self._read()
        finally:
            self._pipe.close_output()
            self.is_lost = self.is_lost or not self._is_closed

    def _read(self) -> None:
        self._client.read()
        self._process.wait()
