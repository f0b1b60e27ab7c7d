"""What a run left on this machine although its warden was killed too: found by its mark."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from windtunnel.backends import warden
from windtunnel.backends.process.marks import KILL_ROUNDS, find_marked, kill_processes
from windtunnel.run.store import find_runs


@dataclass(frozen=True)
class Orphan:
    """A process of a run that nobody looks after any more."""

    run_id: str
    process: psutil.Process
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.process.pid}) of {self.run_id}"


@dataclass(frozen=True)
class Reaped:
    """What `reap_all` found, and which of it is still there; a sentence each."""

    found: list[str]
    left: list[str]


def reap_all(store: Path, *, dry_run: bool = False) -> Reaped:
    """End every orphan on this machine and remove the working folders of lost runs in `store`.

    Args:
        store: The folder that keeps runs.
        dry_run: Only look.
    """
    orphans = list(find_orphans())
    folders = [folder.path / "work" for folder, record in find_runs(store) if record.status == "lost"]
    folders = [folder for folder in folders if folder.exists()]
    found = [str(thing) for thing in (*orphans, *folders)]
    if dry_run:
        return Reaped(found, [])
    left = [str(orphan) for orphan in end_orphans(orphans)]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return Reaped(found, left + [str(folder) for folder in folders if folder.exists()])


def find_orphans() -> Iterator[Orphan]:
    """Yield every process that carries a run's mark and stands below no warden of that run."""
    for process, run_id in find_marked():
        with contextlib.suppress(psutil.Error):
            if not any(_is_warden(parent, run_id) for parent in process.parents()):
                yield Orphan(run_id, process, process.name())


def end_orphans(orphans: Sequence[Orphan], grace: float = 2.0) -> list[Orphan]:
    """Terminate orphans, kill what stays after `grace` seconds; return what is still there, new ones too."""
    processes = [orphan.process for orphan in orphans]
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    psutil.wait_procs(processes, timeout=grace)
    runs = {orphan.run_id for orphan in orphans}
    for _round in range(KILL_ROUNDS):
        alive = [orphan for orphan in find_orphans() if orphan.run_id in runs]
        if not alive:
            break
        kill_processes([orphan.process for orphan in alive])
    return alive


def _is_warden(process: psutil.Process, run_id: str) -> bool:
    """Tell a warden whose driver lives: its keepers have its command line, but not its parent."""
    with contextlib.suppress(psutil.Error):
        command = process.cmdline()
        # By its file's name: a run of another installation on this machine is no orphan either.
        is_ours = any(Path(word).name == Path(warden.__file__).name for word in command)
        return is_ours and run_id in command and str(process.ppid()) in command
    return False
