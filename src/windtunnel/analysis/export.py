"""What runs measured as one flat table: a row a sample, for pandas, spreadsheets and databases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pandas as pd

from windtunnel.analysis.frames import Run, load_run
from windtunnel.errors import UsageError
from windtunnel.run.store import find_runs

if TYPE_CHECKING:
    from windtunnel.run.folder import RunFolder

_OF_RUNS = ("run_id", "benchmark", "strategy", "engine", "backend", "started", "status", "validity")
_OF_SAMPLES = ("step", "iteration", "warmup", "time", "metric", "value", "unit")
COLUMNS = (*_OF_RUNS, "sweep", *_OF_SAMPLES, "better")
"""What every table has; columns of the benchmarks' own come after these, such as ``sweep.gang.size``."""
Warn = Callable[[UsageError], None]


def load_runs(store: str | Path, *, on_broken: Warn = lambda _error: None) -> pd.DataFrame:
    """Return the samples of all runs in a folder as one table.

    One row a sample, warm-up's and failed runs' too: ``warmup``, ``status`` and ``validity`` tell them. Beside
    `COLUMNS` there is a column for each key of a matrix (``sweep.KEY``), for each label of samples (``label.NAME``)
    and of runs (``run_label.NAME``); what a row has not is missing there.

    Args:
        store: The folder that keeps runs.
        on_broken: Told of each run that cannot be read; it does not hide the others.
    """
    return table_of(folder for folder, _head in find_runs(Path(store), on_broken))


def table_of(folders: Iterable[RunFolder]) -> pd.DataFrame:
    """Return the samples of some runs as one table (see `load_runs`)."""
    frames = [frame for frame in map(_frame, (load_run(folder.path) for folder in folders)) if len(frame)]
    if not frames:
        return pd.DataFrame(columns=list(COLUMNS))
    table = pd.concat(frames, ignore_index=True)
    own = sorted(set(table.columns) - set(COLUMNS))
    for name in own:
        table[name] = _of_one_type(table[name])
    return table.reindex(columns=[*COLUMNS, *own])


def _of_one_type(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column as text if it has values of several types, which files cannot hold; else as it is."""
    is_there = column.notna()
    if len({type(value) for value in column[is_there]}) < 2:  # noqa: PLR2004 - one type, or nothing
        return column
    return column.where(~is_there, column.astype(str))


def write(table: pd.DataFrame, output: Path | TextIO) -> None:
    """Write a table to a file as its ending says, or to a stream as CSV (OSError)."""
    if isinstance(output, Path) and output.suffix == ".parquet":
        table.to_parquet(output, index=False)
    else:
        table.to_csv(output, index=False)


def _frame(run: Run) -> pd.DataFrame:
    record, samples = run.record, run.samples
    frame = samples[list(_OF_SAMPLES)].assign(
        **{name: getattr(record, name) for name in _OF_RUNS},
        sweep=record.sweep.id if record.sweep else None,
        better=samples["metric"].map({name.partition("{")[0]: each.better for name, each in record.metrics.items()}),
    )
    frame["started"] = pd.to_datetime(frame["started"], utc=True, errors="coerce")
    for name, value in _constants(run):
        frame[name] = value
    labels = samples["labels"]
    for name in sorted({name for each in labels for name in each}):
        frame[f"label.{name}"] = [each.get(name) for each in labels]
    return frame


def _constants(run: Run) -> Iterator[tuple[str, Any]]:
    """Yield the columns that have the same value in all rows of a run."""
    part = run.record.sweep
    for key, value in (part.model_dump()["values"] if part else {}).items():
        # A list is a value of a matrix, too, and none of a table.
        yield f"sweep.{key}", value if isinstance(value, (str, int, float, bool)) else str(value)
    for name, text in run.record.labels.items():
        yield f"run_label.{name}", text
