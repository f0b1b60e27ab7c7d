"""A run as pandas data."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Literal

import pandas as pd

from windtunnel.analysis.recover import recover
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import UsageSample
from windtunnel.run.record import RunRecord
from windtunnel.run.samples import Sample
from windtunnel.run.store import read_run

# A run that measured nothing has the columns of any other, so that the same analysis works.
_COLUMNS = {name: [item.name for item in fields(kind)] for name, kind in (("samples", Sample), ("usage", UsageSample))}


@dataclass(frozen=True)
class Run:
    """One run that was measured.

    Attributes:
        folder: Where it lies.
        record: What it came to.
    """

    folder: RunFolder
    record: RunRecord

    @cached_property
    def samples(self) -> pd.DataFrame:
        """One row a sample: metric, value, unit, iteration, time, step, labels, warmup."""
        return self._frame("samples")

    @cached_property
    def usage(self) -> pd.DataFrame:
        """One row a step and interval: cpu and cpu_wait in cores, memory in bytes."""
        return self._frame("usage")

    @cached_property
    def events(self) -> pd.DataFrame:
        """One row an event."""
        return self._frame("events")

    def _frame(self, name: str) -> pd.DataFrame:
        frame = pd.DataFrame(list(self.folder.lines(name)), columns=_COLUMNS.get(name))
        if "time" in frame:
            unit: Literal["s"] | None = None if name == "events" else "s"
            # A client may have given a time that no calendar has.
            frame["time"] = pd.to_datetime(frame["time"], unit=unit, utc=True, errors="coerce")
        return frame


def load_run(path: str | Path) -> Run:
    """Return the run in a folder.

    Raises:
        UsageError: There is no run.
    """
    folder = RunFolder(Path(path))
    return Run(folder, recover(folder, read_run(folder)))
