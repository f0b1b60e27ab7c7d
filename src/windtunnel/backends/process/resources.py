"""Processes that a run left on this machine although its warden was killed too: found by their mark."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psutil

from windtunnel.backends.agent.spawn import is_warden, stopped_wardens
from windtunnel.backends.process.marks import KILL_ROUNDS, find_marked, kill_processes


@dataclass(frozen=True)
class Orphan:
    """A process of a run that nobody looks after any more."""

    run_id: str
    process: psutil.Process
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.process.pid}) of {self.run_id}"


def find_orphans() -> Iterator[Orphan]:
    """Yield every process that carries a run's mark and stands below no warden of that run, and what stopped there."""
    for process, run_id in itertools.chain(find_marked(), stopped_wardens()):
        with contextlib.suppress(psutil.Error):
            if not any(is_warden(one, run_id) for one in (process, *process.parents())):
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
