"""What pods wrote, taken from the hub into the run's folder."""

from __future__ import annotations

import contextlib
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from windtunnel.backends.archive import unpack
from windtunnel.backends.kubernetes.agent import Agent
from windtunnel.backends.urgency import HurryError
from windtunnel.errors import PlatformError
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import Journal

HOST = "host.json"
_PIECE = 1 << 20


class Results:
    """Takes what pods wrote, each pod's once.

    Args:
        agent: Copies it from the hub.
        folder: The run's.
        journal: Told what could not be had.

    Attributes:
        hosts: What the collectors told of their nodes, by the node's name.
    """

    def __init__(self, agent: Agent, folder: RunFolder, journal: Journal) -> None:
        self._agent, self._folder, self._journal = agent, folder, journal
        self.hosts: dict[str, Mapping[str, Any]] = {}
        self._others: dict[str, set[PurePosixPath]] = {}
        self._taken: dict[str, Path | None] = {}

    def fetch(self, pod: str, step: str, seconds: float, check: Callable[[], None]) -> Path | None:
        """Return the folder of what a pod sent, waited for so long; None if that is nothing (PlatformError).

        `check` is called meanwhile, once it has come; after a HurryError of it, what came is what there is.
        """
        if pod not in self._taken:
            self._taken[pod] = None
            size = self._agent.result_size(pod, seconds)
            if size is not None:
                self._taken[pod] = self._unpack(pod, step, size, check)
        return self._taken[pod]

    def others_of(self, pod: str, step: str) -> frozenset[PurePosixPath]:
        """Return the names of what is no file of what a step wrote in a pod that was fetched."""
        names = self._others.get(pod, ())
        return frozenset(name.relative_to(step) for name in names if name.parts[0] == step)

    def note_host(self, source: Path, node: str | None) -> None:
        """Note what the collector of a pod told of its node, in the folder of what it sent."""
        if node and (source / HOST).is_file():
            self.hosts[node] = json.loads((source / HOST).read_text(encoding="utf-8"))

    def _unpack(self, name: str, step: str, size: int, check: Callable[[], None]) -> Path:
        work = self._folder.path / "work"
        archive, target = work / f"{name}.tar", work / name
        try:
            work.mkdir(exist_ok=True)
            is_whole = self._read(name, step, size, archive, check)
            # One that was cut short ends where it was cut.
            cut_short = () if is_whole else (tarfile.TarError,)
            with archive.open("rb") as file, contextlib.suppress(*cut_short):
                self._others[name] = unpack(iter(lambda: file.read(_PIECE), b""), target)
            archive.unlink()
        except (OSError, tarfile.TarError) as error:
            reason = getattr(error, "strerror", None) or error
            raise PlatformError(
                f"{step}: what it wrote cannot be kept: {reason}", code="results_lost", step=step
            ) from None
        return target

    def _read(self, name: str, step: str, size: int, archive: Path, check: Callable[[], None]) -> bool:
        """Fetch the archive of what a pod sent; tell whether all of it came."""
        try:
            self._agent.read_result(name, size, archive, check)
        except HurryError:
            self._journal.note("what it wrote was fetched in part: somebody is in a hurry", step)
            return False
        return True
