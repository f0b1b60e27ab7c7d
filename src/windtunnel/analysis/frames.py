"""A run as pandas data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from windtunnel.analysis.recover import recover
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import UsageSample
from windtunnel.run.record import RunRecord
from windtunnel.run.store import read_run

# A run that measured nothing has the columns of any other, so that the same analysis works.
_COLUMNS = {"usage": [item.name for item in fields(UsageSample)]}


@dataclass(frozen=True)
class Run:
    """One run that was measured.

    Attributes:
        folder: The run's folder.
        record: The run's record.
    """

    folder: RunFolder
    record: RunRecord

    @cached_property
    def samples(self) -> pd.DataFrame:
        """One row a sample: metric, value, unit, iteration, time, step, labels, warmup."""
        samples = self.folder.samples()

        kinds = np.asarray(samples.kind_of, dtype=np.intp)
        return pd.DataFrame(
            {
                "metric": _spread([kind.metric for kind in samples.kinds], kinds),
                "value": np.asarray(samples.values),
                "unit": _spread([kind.unit for kind in samples.kinds], kinds),
                "iteration": np.asarray(samples.iterations, dtype=np.int64),
                "time": _moments(np.asarray(samples.times), "s"),
                "step": _spread([kind.step for kind in samples.kinds], kinds),
                "labels": _spread([kind.labels for kind in samples.kinds], kinds),
                "warmup": np.array([kind.warmup for kind in samples.kinds], dtype=bool)[kinds],
            }
        )

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
            frame["time"] = _moments(frame["time"], None if name == "events" else "s")
        return frame


def _spread(distinct: Sequence[object], places: NDArray[np.intp]) -> NDArray[np.object_]:
    """Return what stands at each of the places; one object for all that are alike."""
    column = np.empty(len(distinct), dtype=object)
    column[:] = distinct
    return column[places]


def _moments(times: Any, unit: Literal["s"] | None) -> Any:
    """Return times as pandas has them; a client may have given one that no calendar has."""
    return pd.to_datetime(times, unit=unit, utc=True, errors="coerce")


def load_run(path: str | Path) -> Run:
    """Return the run in a folder.

    Raises:
        UsageError: There is no run.
    """
    folder = RunFolder(Path(path))
    return Run(folder, recover(folder, read_run(folder)))
