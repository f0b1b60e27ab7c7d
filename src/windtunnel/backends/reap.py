"""What runs left behind although driver and warden are gone, on every platform that is here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from windtunnel.backends import BACKENDS, make_backend
from windtunnel.backends.artifacts import remove_tree
from windtunnel.backends.resources import Resource, Resources, end_orphans, find_orphans
from windtunnel.errors import PlatformError
from windtunnel.run.store import find_runs


@dataclass(frozen=True)
class Reaped:
    """What `reap_all` found, which of it is still there, and where it could not look; a sentence each."""

    found: list[str]
    left: list[str]
    unknown: list[str] = field(default_factory=list)


def reap_all(store: Path, *, dry_run: bool = False) -> Reaped:
    """End every orphan on the platforms that are here, and remove lost runs' working folders in `store`.

    Args:
        store: The folder that keeps runs.
        dry_run: Only look.
    """
    unknown: list[str] = []
    orphans = list(_find_all(unknown))
    folders = [folder.path / "work" for folder, record in find_runs(store) if record.status == "lost"]
    folders = [folder for folder in folders if folder.exists()]
    found = [str(one) for _resources, ones in orphans for one in ones] + [str(folder) for folder in folders]
    if dry_run:
        return Reaped(found, [], unknown)
    left = [str(one) for resources, ones in orphans for one in end_orphans(resources, ones)]
    for folder in folders:
        remove_tree(folder)
    return Reaped(found, left + [str(folder) for folder in folders if folder.exists()], unknown)


def _find_all(unknown: list[str]) -> Iterator[tuple[Resources[Any], list[Resource]]]:
    """Yield each platform's orphans, if it has some; a platform that cannot be asked is put into `unknown`."""
    for name in BACKENDS:
        try:
            resources = make_backend(name).resources()
            if resources and (orphans := find_orphans(resources)):
                yield resources, orphans
        except PlatformError as error:
            unknown.append(error.message)
