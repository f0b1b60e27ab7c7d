"""Steps' output in a flow run's log: as much of it as a person reads."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windtunnel.printable import printable
from windtunnel.run.folder import RunFolder
from windtunnel.run.output import open_file
from windtunnel.secrets import Redaction

LINES_PER_LOG = 100
"""A server tells each request; beyond this many lines the file is the place to read."""
LINES_PER_RUN = 2_000
_BYTES_AT_ONCE = 65_536
_CHARACTERS_PER_LINE = 2_000


@dataclass
class _Place:
    offset: int = 0
    lines: int = 0
    is_cut: bool = False


class StepLogs:
    """Forwards what steps write to a logger, line by line, each with the step's name.

    Only logs of steps that run are looked at: a run may have thousands.

    Args:
        folder: The run's folder.
        logger: Where lines go.
        redaction: What is kept out of them. The logs themselves stay until they are read for the result.
    """

    def __init__(
        self, folder: Path, logger: logging.Logger | logging.LoggerAdapter[Any], redaction: Redaction | None = None
    ) -> None:
        self.folder = RunFolder(folder, redaction)
        self._logger, self._redaction = logger, self.folder.redaction
        self._open: dict[Path, _Place] = {}
        self._left = LINES_PER_RUN

    def open(self, step: str, iteration: int | None = None) -> None:
        """Follow a step's log from now on."""
        self._open[self.folder.log(step, iteration)] = _Place()

    def close(self, step: str, iteration: int | None = None) -> None:
        """Forward the rest of a step's log, also a last line that has no end."""
        path = self.folder.log(step, iteration)
        if place := self._open.pop(path, None):
            while self._forward(path, place):
                pass
            self._forward(path, place, is_final=True)

    def forward(self) -> None:
        """Forward the whole lines that were written since the last time."""
        for path, place in self._open.items():
            self._forward(path, place)

    def _forward(self, path: Path, place: _Place, *, is_final: bool = False) -> int:
        """Forward what a log has more, some pages of it at a time; return how many bytes that was."""
        if place.is_cut:
            return 0
        margin = self._redaction.overlap
        before = min(margin, place.offset)
        try:
            with open_file(path) as file:
                file.seek(place.offset - before)
                data = file.read(before + _BYTES_AT_ONCE + margin)
        except OSError:
            return 0  # it is not there yet, or something else is in its place
        data = self._redaction.masked(data)[before : before + _BYTES_AT_ONCE]
        is_whole = is_final or len(data) == _BYTES_AT_ONCE
        taken = data[: data.rfind(b"\n") + 1] or (data if is_whole else b"")
        place.offset += len(taken)
        for line in taken.decode(errors="replace").splitlines():
            if line.strip():
                self._tell(path, place, printable(line)[:_CHARACTERS_PER_LINE])
        return len(taken)

    def _tell(self, path: Path, place: _Place, line: str) -> None:
        if place.is_cut:
            return
        if place.lines == LINES_PER_LOG or not self._left:
            place.is_cut = True
            self._logger.info("%s | … the rest is in %s", path.stem, path)
            return
        place.lines += 1
        self._left -= 1
        self._logger.info("%s | %s", path.stem, line)
