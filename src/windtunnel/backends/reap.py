"""What runs left behind although driver and warden are gone, on every platform that is here."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from windtunnel.backends.docker.reap import end_leftovers, find_leftovers
from windtunnel.backends.process.reap import end_orphans, find_orphans
from windtunnel.run.store import find_runs


@dataclass(frozen=True)
class Reaped:
    """What `reap_all` found, and which of it is still there; a sentence each."""

    found: list[str]
    left: list[str]


def reap_all(store: Path, *, dry_run: bool = False) -> Reaped:
    """End every orphan on this machine and its Docker, and remove the working folders of lost runs in `store`.

    Args:
        store: The folder that keeps runs.
        dry_run: Only look.
    """
    orphans, leftovers = list(find_orphans()), find_leftovers()
    folders = [folder.path / "work" for folder, record in find_runs(store) if record.status == "lost"]
    folders = [folder for folder in folders if folder.exists()]
    found = [str(thing) for thing in (*orphans, *leftovers, *folders)]
    if dry_run:
        return Reaped(found, [])
    left = [str(thing) for thing in (*end_orphans(orphans), *end_leftovers(leftovers))]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return Reaped(found, left + [str(folder) for folder in folders if folder.exists()])
