"""The folder that runs are kept in: finding them again, and telling a lost one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from windtunnel.errors import UsageError
from windtunnel.names import nearest
from windtunnel.run.driver import is_alive
from windtunnel.run.folder import RECORD, RunFolder
from windtunnel.run.record import RunRecord


def read_run(folder: RunFolder) -> RunRecord:
    """Return a run's record; a running one whose driver is gone is called ``lost``."""
    record = folder.read_record()
    record.path = str(folder.path)
    if record.status == "running" and not is_alive(record.driver):
        record.status = "lost"
    return record


def find_runs(
    store: Path, on_broken: Callable[[UsageError], None] = lambda _error: None
) -> Iterator[tuple[RunFolder, RunRecord]]:
    """Yield every run in `store` that has a record, the oldest first.

    Args:
        store: The folder that keeps runs.
        on_broken: Told of each record that cannot be read; it does not hide the others.
    """
    found = []
    for path in sorted(path.parent for path in store.glob(f"*/{RECORD}")) if store.is_dir() else []:
        folder = RunFolder(path)
        try:
            found.append((folder, read_run(folder)))
        except UsageError as error:
            on_broken(error)
    yield from sorted(found, key=lambda pair: pair[1].started or "")


def open_run(name: str, store: Path) -> RunFolder:
    """Return the run called `name`: a folder, an id, the start of one, or ``last``.

    Raises:
        UsageError: No run, or more than one, is called so.
    """
    if (Path(name) / RECORD).exists():
        return RunFolder(Path(name))
    runs = [folder for folder, _record in find_runs(store)]
    if name == "last" and runs:
        return runs[-1]
    matches = [run for run in runs if run.run_id == name] or [run for run in runs if run.run_id.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    ids = [run.run_id for run in runs]
    if matches:
        raise UsageError(f"{name!r} is the start of {len(matches)} runs: {', '.join(r.run_id for r in matches)}")
    raise UsageError(f"no run {name!r} in {store}{nearest(name, ids)}; `windtunnel runs` lists them")
