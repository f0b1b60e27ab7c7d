"""Processes that carry a run's mark on this machine."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from windtunnel.backends.agent.spawn import is_warden, stopped_wardens
from windtunnel.backends.process.run_marker import find_marked, kill_processes

GRACE_SECONDS = 2.0
"""How long a process may take to end by itself."""


@dataclass(frozen=True)
class MarkedProcess:
    """A process of a run."""

    run_id: str
    process: psutil.Process
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.process.pid}) of {self.run_id}"


class ProcessResources:
    """The processes of this machine that carry a run's mark, and wardens that were stopped."""

    def find(self, run_id: str | None = None) -> Sequence[MarkedProcess]:
        """Return the living ones of a run, or of any."""
        found = []
        for process, mark in itertools.chain(find_marked(run_id), stopped_wardens()):
            with contextlib.suppress(psutil.Error):
                if run_id in {None, mark}:
                    found.append(MarkedProcess(mark, process, process.name()))
        return found

    def remove(self, found: Sequence[MarkedProcess]) -> None:
        """Terminate processes, and kill what stays after a grace."""
        processes = [one.process for one in found]
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.terminate()
        _gone, alive = psutil.wait_procs(processes, timeout=GRACE_SECONDS)
        kill_processes(alive)

    def is_attended(self, one: MarkedProcess) -> bool:
        """Tell whether a process is its run's warden, or stands below it; one that is gone needs nobody."""
        with contextlib.suppress(psutil.Error):
            return any(is_warden(process, one.run_id) for process in (one.process, *one.process.parents()))
        return True
