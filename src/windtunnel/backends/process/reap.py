"""What a run left on this machine although its warden was killed too: found by its mark."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psutil

from windtunnel.backends import warden
from windtunnel.backends.process.step import RUN_VARIABLE


@dataclass(frozen=True)
class Orphan:
    """A process of a run that nobody looks after any more."""

    run_id: str
    process: psutil.Process
    name: str


def find_orphans() -> Iterator[Orphan]:
    """Yield every process that carries a run's mark and stands below no warden of that run."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            run_id = process.environ().get(RUN_VARIABLE)
            if run_id and not any(_is_warden(parent, run_id) for parent in process.parents()):
                yield Orphan(run_id, process, process.name())


def end_orphans(orphans: Sequence[Orphan], grace: float = 2.0) -> list[Orphan]:
    """Terminate orphans, kill those that stay after `grace` seconds; return those still there."""
    processes = [orphan.process for orphan in orphans]
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _gone, alive = psutil.wait_procs(processes, timeout=grace)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    _gone, alive = psutil.wait_procs(alive, timeout=grace)
    return [orphan for orphan in orphans if orphan.process in alive]


def _is_warden(process: psutil.Process, run_id: str) -> bool:
    """Tell a warden whose driver lives: its keepers have its command line, but not its parent."""
    with contextlib.suppress(psutil.Error):
        command = process.cmdline()
        return warden.__file__ in command and run_id in command and str(process.ppid()) in command
    return False
