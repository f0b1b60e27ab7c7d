"""What runs left on the Docker daemon although driver and warden are gone: found by its labels."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime

from windtunnel.backends.agent.spawn import has_warden
from windtunnel.backends.docker.warden import RUN_LABEL, Daemon, DaemonError, Resource, find, remove_all
from windtunnel.backends.labels import DRIVER, EXPIRES
from windtunnel.run.driver import is_alive


def find_leftovers() -> list[Resource]:
    """Return what nobody looks after any more: nothing if there is no daemon, or none that is known."""
    try:
        found = list(find(Daemon()))
    except (DaemonError, OSError, ValueError):
        return []
    labels = {resource.labels[RUN_LABEL]: resource.labels for resource in found}
    orphans = {run_id for run_id, own in labels.items() if _is_orphan(run_id, own)}
    return [resource for resource in found if resource.labels[RUN_LABEL] in orphans]


def end_leftovers(leftovers: Sequence[Resource]) -> list[Resource]:
    """Remove leftovers; return what is still there, new ones too."""
    if not leftovers:
        return []
    remove_all(Daemon(), list(leftovers))
    return find_leftovers()


def _is_orphan(run_id: str, labels: Mapping[str, str]) -> bool:
    """Tell whether the run is over: its time is, or its driver was here and is gone, and no warden lives."""
    try:
        is_over = datetime.fromisoformat(labels[EXPIRES]).timestamp() < time.time()
        is_over = is_over or not is_alive(json.loads(labels[DRIVER]))
    except (KeyError, ValueError):
        # Not as Windtunnel labels it: whose it is cannot be known.
        return False
    return is_over and not has_warden(run_id)
