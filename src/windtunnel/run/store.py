"""The folder that runs are kept in: finding them again, and telling a lost one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from windtunnel.errors import UsageError
from windtunnel.run.driver import is_alive
from windtunnel.run.folder import RECORD, RunFolder
from windtunnel.run.record import RunHead, RunRecord, Status
from windtunnel.suggest import suggest

MOST_NAMES = 5
"""How many runs an error lists that a name may mean."""


def read_run(folder: RunFolder) -> RunRecord:
    """Return a run's record; a running one whose driver is gone is called ``lost``."""
    record = folder.read_record()
    record.path = str(folder.path)
    record.status = _status(record)
    return record


def find_runs(
    store: Path, on_broken: Callable[[UsageError], None] = lambda _error: None
) -> Iterator[tuple[RunFolder, RunHead]]:
    """Yield every run in `store` that has a record, with that record's head, the oldest first.

    Args:
        store: The folder that keeps runs.
        on_broken: Told of each record that cannot be read; it does not hide the others.
    """
    runs = []
    for name in sorted(_names(store)):
        folder = RunFolder(store / name)
        try:
            head = folder.read_head()
        except UsageError as error:
            on_broken(error)
            continue
        head.status = _status(head)
        runs.append((folder, head))
    yield from sorted(runs, key=lambda pair: pair[1].started or "")


def open_run(name: str, store: Path) -> RunFolder:
    """Return the run called `name`: a folder, an id, the start of one, or ``last``.

    Raises:
        UsageError: No run, or more than one, is called so.
    """
    if (Path(name) / RECORD).exists():
        return RunFolder(Path(name))
    if name and Path(name).name == name and (store / name / RECORD).exists():
        return RunFolder(store / name)
    if name == "last" and (runs := list(find_runs(store))):
        return runs[-1][0]
    names = sorted(_names(store))
    matches = [each for each in names if each.startswith(name)]
    if len(matches) == 1:
        return RunFolder(store / matches[0])
    if matches:
        listed = ", ".join(matches[:MOST_NAMES]) + (", …" if len(matches) > MOST_NAMES else "")
        raise UsageError(f"{name!r} is the start of {len(matches)} runs: {listed}")
    raise UsageError(f"no run {name!r} in {store}{suggest(name, names)}; `windtunnel runs` lists them")


def find_sweep(name: str, store: Path) -> list[RunFolder]:
    """Return the runs of the sweep called `name`, its id or the start of it, the oldest first.

    There are none if no sweep is called so, or if it is what `open_run` takes for a run: a folder, an id, ``last``,
    the start of one run's id, or of a run's beside those of the sweep.
    """
    if name == "last" or (Path(name) / RECORD).exists() or (store / name / RECORD).exists():
        return []
    sweeps: dict[str, list[RunFolder]] = {}
    for folder, head in find_runs(store):
        if head.sweep and head.sweep.id.startswith(name):
            sweeps.setdefault(head.sweep.id, []).append(folder)
    if name in sweeps or len(sweeps) != 1:
        return sweeps.get(name, [])
    (runs,) = sweeps.values()
    called = {each for each in _names(store) if each.startswith(name)}
    is_of_runs = len(called) == 1 or called - {folder.run_id for folder in runs}
    return [] if is_of_runs else runs


def _names(store: Path) -> Iterator[str]:
    """Yield the name of each folder of `store` that has a record."""
    if store.is_dir():
        with os.scandir(store) as entries:
            yield from (entry.name for entry in entries if os.path.exists(f"{entry.path}/{RECORD}"))  # noqa: PTH110


def _status(record: RunHead | RunRecord) -> Status:
    return "lost" if record.status == "running" and not is_alive(record.driver) else record.status
