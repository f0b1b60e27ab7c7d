"""What runs left behind although driver and warden are gone, on every platform that is here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from windtunnel.backends.artifacts import remove_tree
from windtunnel.backends.docker import resources as docker
from windtunnel.backends.kubernetes import resources as kubernetes
from windtunnel.backends.process.resources import end_orphans, find_orphans
from windtunnel.errors import PlatformError
from windtunnel.run.store import find_runs


@dataclass(frozen=True)
class Reaped:
    """What `reap_all` found, which of it is still there, and where it could not look; a sentence each."""

    found: list[str]
    left: list[str]
    unknown: list[str] = field(default_factory=list)


def reap_all(store: Path, *, dry_run: bool = False) -> Reaped:
    """End every orphan on this machine, its Docker and its cluster, and remove lost runs' working folders in `store`.

    Args:
        store: The folder that keeps runs.
        dry_run: Only look.
    """
    unknown: list[str] = []
    orphans, containers, objects = list(find_orphans()), docker.find_leftovers(), _in_cluster(unknown)
    folders = [folder.path / "work" for folder, record in find_runs(store) if record.status == "lost"]
    folders = [folder for folder in folders if folder.exists()]
    found = [str(thing) for thing in (*orphans, *containers, *objects, *folders)]
    if dry_run:
        return Reaped(found, [], unknown)
    still = (*end_orphans(orphans), *docker.end_leftovers(containers), *kubernetes.end_leftovers(objects))
    left = [str(thing) for thing in still]
    for folder in folders:
        remove_tree(folder)
    return Reaped(found, left + [str(folder) for folder in folders if folder.exists()], unknown)


def _in_cluster(unknown: list[str]) -> list[kubernetes.Leftover]:
    try:
        return kubernetes.find_leftovers()
    except PlatformError as error:
        unknown.append(error.message)
        return []
