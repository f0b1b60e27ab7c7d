"""Steps' output in a flow run's log: as much of it as a person reads."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windtunnel.run.folder import RunFolder, printable

LINES_PER_LOG = 100
"""A server tells each request; beyond this many lines the file is the place to read."""
_BYTES_AT_ONCE = 65_536
_CHARACTERS_PER_LINE = 2_000


@dataclass
class _Place:
    offset: int = 0
    lines: int = 0


class StepLogs:
    """Forwards what steps write to a logger, line by line, each with the step's name.

    Args:
        folder: The run's folder.
        logger: Where lines go.
    """

    def __init__(self, folder: Path, logger: logging.Logger | logging.LoggerAdapter[Any]) -> None:
        self.folder = RunFolder(folder)
        self._logger = logger
        self._places: dict[Path, _Place] = {}

    def forward(self) -> None:
        """Forward the whole lines that were written since the last time."""
        for path in sorted((self.folder.path / "logs").glob("*.log")):
            place = self._places.setdefault(path, _Place())
            if place.lines < LINES_PER_LOG:
                self._forward(path, place)

    def _forward(self, path: Path, place: _Place) -> None:
        with path.open("rb") as file:
            file.seek(place.offset)
            data = file.read(_BYTES_AT_ONCE)
        whole = data[: data.rfind(b"\n") + 1] or (data if len(data) == _BYTES_AT_ONCE else b"")
        place.offset += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            if not line.strip():
                continue
            if place.lines == LINES_PER_LOG:
                self._logger.info("%s | … the rest is in %s", path.stem, path)
                return
            place.lines += 1
            self._logger.info("%s | %s", path.stem, printable(line)[:_CHARACTERS_PER_LINE])
