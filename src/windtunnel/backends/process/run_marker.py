"""The mark that every process of a run carries in its environment, and who carries it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from windtunnel.run.driver import process_namespace

RUN_VARIABLE = "WINDTUNNEL_RUN"
_VARIABLE = RUN_VARIABLE.encode()
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
            mark = _mark(process.pid)
            is_wanted = mark is not None and (run_id is None or mark == run_id)
            is_here = process_namespace(process.pid) == process_namespace()
            if is_wanted and is_here and process.pid not in above and lives(process):
                yield process, mark or ""


def lives(process: psutil.Process) -> bool:
    """Tell whether a process runs: one whose main thread has ended is a zombie to look at while others go on."""
    return process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1


def _mark(pid: int) -> str | None:
    """Return the mark in a process's environment, or None where it has none, or may not be read."""
    for folder in _threads(pid):
        with contextlib.suppress(OSError):
            if content := (folder / "environ").read_bytes():
                entries = (entry.partition(b"=") for entry in content.split(b"\0"))
                return next((os.fsdecode(value) for name, _, value in entries if name == _VARIABLE), None)
    return None


def _threads(pid: int) -> Iterator[Path]:
    """Yield a process's own folder, and then those of its threads: of a main thread that has ended nothing is told."""
    yield Path(f"/proc/{pid}")
    with contextlib.suppress(OSError):
        yield from Path(f"/proc/{pid}/task").iterdir()


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
