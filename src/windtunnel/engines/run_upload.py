"""A run's way into its store: asked before anything starts, used before teardown and when all is over."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Sequence

from windtunnel.engines.request import Request
from windtunnel.engines.stores import open_upload
from windtunnel.errors import WindtunnelError
from windtunnel.run.control import GracePeriod
from windtunnel.run.events import Event, EventType
from windtunnel.run.folder import RECORD, RunFolder
from windtunnel.run.journal import Journal
from windtunnel.run.record import RunRecord
from windtunnel.run.record import Upload as UploadState
from windtunnel.run.upload import Upload

STORE_SECONDS = 30.0
"""How long servers are kept up for what was measured to be uploaded; what is left follows after teardown."""
_WRITTEN = ("logs", "artifacts")
"""Folders of what steps write."""
_REST = 9.0
"""How long nothing is sent between iterations, as a multiple of what the last time took: a tenth goes to it at most."""
_NOT_YET = ("logs/warden.log",)
"""While the warden lives it is mostly empty, and then it goes."""


class Storing:
    """Sends a run's folder to the store that the run is meant for; without one it does nothing.

    Args:
        request: The run's request, which says the store.
        folder: The run's folder.
        record: The run's record, which tells where the run is stored.
        journal: The run's journal.
        write: Writes the record into the folder.
    """

    def __init__(
        self, request: Request, folder: RunFolder, record: RunRecord, journal: Journal, write: Callable[[], None]
    ) -> None:
        self._request, self._folder, self._record, self._journal = request, folder, record, journal
        self._write = write
        self._upload: Upload | None = None
        self._rest = 0.0

    def open(self) -> None:
        """Send what there is: a store that cannot be written is refused before anything starts.

        Raises:
            PlatformError: The store cannot be written (``store_failed``); the folder is removed.
            TimedOut, Cancelled: As the control says; the folder is removed.
        """
        if not self._request.remote:
            return
        try:
            self._upload = open_upload(self._folder, self._request.remote, self._request.control, is_new=True)
            self._record.upload = UploadState(url=self._upload.target)
            self._write()
            self._upload.send(self._request.control)
        except BaseException:
            with contextlib.suppress(WindtunnelError):  # what came first is the cause
                self.close()
            shutil.rmtree(self._folder.path)
            raise

    def send_measured(self, event: Event) -> None:
        """Send what was measured up to the end of an iteration, for a driver that may be killed in the next one.

        It is an observer: its thread waits for the store, the run does not. What steps wrote may have secrets
        until it was masked, and follows when all is over; so do the words of a store that fails.
        """
        if not self._upload or event.type is not EventType.ITERATION_FINISHED or time.monotonic() < self._rest:
            return
        began = time.monotonic()
        written = (path for name in _WRITTEN for path in (self._folder.path / name).rglob("*"))
        but = [path.relative_to(self._folder.path).as_posix() for path in written]
        with contextlib.suppress(WindtunnelError):
            self._upload.send(GracePeriod(self._request.control, STORE_SECONDS), but=but)
        self._rest = time.monotonic() + _REST * (time.monotonic() - began)

    def send_early(self) -> None:
        """Send what was measured before anything is taken down."""
        if self._upload:
            try:
                self._send(self._upload, STORE_SECONDS, but=_NOT_YET)
            except WindtunnelError as error:
                self._journal.note(f"not stored yet, teardown comes first: {error.message}")

    def send_all(self) -> WindtunnelError | None:
        """Send what there is when all is over, the record last; return why not all is stored, if so."""
        state = self._record.upload
        if not self._upload or not state:
            return None
        try:
            self._send(self._upload, None, but=(RECORD,))
            state.complete = True
            self._write()
            self._upload.send(GracePeriod(self._request.control))
        except WindtunnelError as error:
            state.complete = False
            self._folder.redaction.error(error)
            again = self._request.unstored or f"to send it again: windtunnel upload {self._folder.path}"
            state.error = f"not stored: {error.message}; {again}"
            return type(error)(state.error, code=error.code)
        return None

    def send_report(self) -> None:
        """Send what was added to the folder of a run that is stored; it is none of what was measured."""
        state = self._record.upload
        if self._upload and state and state.complete:
            try:
                self._upload.send(GracePeriod(self._request.control))
            except WindtunnelError as error:
                self._journal.note(f"the report is not stored: {error.message}")

    def close(self) -> list[str]:
        """Close the way to the store; return the names of what was made to reach it and is still there."""
        return self._upload.close() if self._upload else []

    def _send(self, upload: Upload, seconds: float | None, but: Sequence[str]) -> None:
        self._folder.mask()
        self._journal.emit(EventType.UPLOADING, message=upload.target)
        upload.send(GracePeriod(self._request.control, seconds), but=but)
