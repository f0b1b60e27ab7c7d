"""The mark that every process of a run carries in its environment, and who carries it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

import psutil

from windtunnel.run.store import process_namespace

RUN_VARIABLE = "WINDTUNNEL_RUN"
KILL_ROUNDS = 20
KILL_SECONDS = 0.1


def find_marked(run_id: str | None = None) -> Iterator[tuple[psutil.Process, str]]:
    """Yield every living process with a run's mark and the run's id; this one and those above it are left out.

    A program that writes its title over its environment is not found: its warden is what ends it. Those of
    another process namespace (a container's) are not ours to judge: ids mean other processes there.
    """
    above = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            mark = process.environ().get(RUN_VARIABLE)
            is_wanted = mark is not None and (run_id is None or mark == run_id)
            is_here = process_namespace(process.pid) == process_namespace()
            if is_wanted and is_here and process.pid not in above and process.status() != psutil.STATUS_ZOMBIE:
                yield process, mark or ""


def kill_processes(processes: Sequence[psutil.Process]) -> None:
    """Send SIGKILL to processes and wait a moment for them to go."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, timeout=KILL_SECONDS)


def kill_marked(run_id: str) -> None:
    """Send SIGKILL to all that carries a run's mark until nothing does, also what is started meanwhile."""
    for _round in range(KILL_ROUNDS):
        found = [process for process, _run_id in find_marked(run_id)]
        if not found:
            return
        kill_processes(found)
