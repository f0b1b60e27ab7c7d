"""What a step wrote, taken from the hub into the run's folder."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from windtunnel.backends.archive import unpack
from windtunnel.backends.artifacts import collect_artifacts
from windtunnel.backends.containers import METRICS, OUT
from windtunnel.backends.hurry import HurryError, unhurried
from windtunnel.backends.kubernetes.agent import Agent
from windtunnel.backends.kubernetes.step import Replica, RunningStep
from windtunnel.errors import PlatformError
from windtunnel.plan import Job
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import Journal

HOST = "host.json"
_PIECE = 1 << 20


@dataclass
class Results:
    """Takes results, each pod's once.

    Attributes:
        is_urgent: Whether somebody is in a hurry, asked meanwhile: what was fetched until then is kept.
        hosts: What the collectors told of their nodes, by the node's name.
    """

    agent: Agent
    folder: RunFolder
    journal: Journal
    is_urgent: Callable[[], bool]
    hosts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _taken: dict[str, Path | None] = field(default_factory=dict)

    def take(self, running: RunningStep, seconds: float) -> bool:
        """Keep a step's artifacts and metrics; those of replicas but the first under names of their own.

        Args:
            running: The step, which has ended or been told to.
            seconds: How long its collectors are waited for.

        Returns:
            Whether all of them sent something.

        Raises:
            PlatformError: It cannot be fetched, or not be written here.
        """
        is_whole = True
        for number, replica in enumerate(running.replicas, start=1):
            going_on = unhurried(itertools.repeat(None), self.is_urgent)
            source = self.fetch(replica.pod, running.name, seconds, partial(next, going_on))
            if source is None:
                is_whole = False
                continue
            label = running.label if number == 1 else f"{running.label}.replica-{number}"
            self._keep(running, replica, source, label, is_first=number == 1)
        return is_whole

    def fetch(self, pod: str, step: str, seconds: float, check: Callable[[], None]) -> Path | None:
        """Return the folder of what a pod sent, waited for so long; None if that is nothing (PlatformError).

        `check` is called meanwhile, once it has come; after a HurryError of it, what came is what there is.
        """
        if pod not in self._taken:
            self._taken[pod] = None
            size = self.agent.result_size(pod, seconds)
            if size is not None:
                self._taken[pod] = self._unpack(pod, step, size, check)
        return self._taken[pod]

    def _unpack(self, name: str, step: str, size: int, check: Callable[[], None]) -> Path:
        work = self.folder.path / "work"
        archive, target = work / f"{name}.tar", work / name
        try:
            work.mkdir(exist_ok=True)
            is_whole = self._read(name, step, size, archive, check)
            # One that was cut short ends where it was cut.
            cut_short = () if is_whole else (tarfile.TarError,)
            with archive.open("rb") as file, contextlib.suppress(*cut_short):
                unpack(iter(lambda: file.read(_PIECE), b""), target)
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
            self.agent.read_result(name, size, archive, check)
        except HurryError:
            self.journal.note("what it wrote was fetched in part: somebody is in a hurry", step)
            return False
        return True

    def _keep(self, running: RunningStep, replica: Replica, source: Path, label: str, *, is_first: bool) -> None:
        globs = running.step.artifacts if isinstance(running.step, Job) else ("**",)
        own = source / running.name
        tell = partial(self.journal.note, step=running.name)
        collect_artifacts(own / OUT.name, globs, self.folder.path / "artifacts" / label, tell)
        metrics = own / METRICS.name
        if metrics.is_file() and is_first:
            shutil.move(metrics, running.metrics)
        if replica.view.node and (source / HOST).is_file():
            self.hosts[replica.view.node] = json.loads((source / HOST).read_text(encoding="utf-8"))
