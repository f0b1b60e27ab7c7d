"""What a store has by the names that people give: runs and sweeps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from windtunnel.errors import UsageError

if TYPE_CHECKING:
    from windtunnel.run.folder import RunFolder
    from windtunnel.run.mirror import Mirror


def records_of(store: str) -> Path:
    """Return the folder that has the records of a store's runs: the store itself, or a copy of what is elsewhere."""
    mirror = _mirror(store)
    return mirror.records() if mirror else Path(store)


def open_stored(run: str, store: str) -> RunFolder:
    """Return a run of a store, all of it, by its id, the start of one, its folder, or ``last``.

    Raises:
        UsageError: No run, or more than one, is called so; or the store is none.
        PlatformError: The store does not give it.
    """
    from windtunnel.run.store import open_run

    mirror = _mirror(store)
    if not mirror:
        return open_run(run, Path(store))
    folder = open_run(run, mirror.records())
    if folder.path.parent == mirror.folder:
        mirror.complete(folder)
    return folder


def open_sweep(sweep: str, store: str) -> list[RunFolder]:
    """Return the runs of a store's sweep by its id or the start of it, the oldest first; none if no sweep is called so.

    Raises:
        UsageError: The store is none.
        PlatformError: The store does not give them.
    """
    from windtunnel.run.store import find_sweep

    mirror = _mirror(store)
    folders = find_sweep(sweep, mirror.records() if mirror else Path(store))
    if mirror:
        for folder in folders:
            mirror.complete(folder, names=("benchmark.toml", "environment.json"))
    return folders


def _mirror(store: str) -> Mirror | None:
    from windtunnel.addresses import ObjectAddress, parse_store
    from windtunnel.engines.stores import require_aws

    try:
        address = parse_store(store)
    except ValueError as error:
        raise UsageError(f"--store: {error}") from None
    if isinstance(address, Path):
        return None
    if not isinstance(address, ObjectAddress):
        raise UsageError(
            f"--store: {address}: a volume claim is read by pods that mount it, not from here;"
            " the folder in which the run was made has all of it, too"
        )
    require_aws(str(address))
    from windtunnel.run.mirror import Mirror

    return Mirror(address)
