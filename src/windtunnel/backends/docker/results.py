"""What a step wrote, fetched from its containers into the run's folder."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from windtunnel.backends.archive import unpack
from windtunnel.backends.artifacts import collect_artifacts
from windtunnel.backends.containers import METRICS, OUT, RESULTS
from windtunnel.backends.docker.calls import daemon_words
from windtunnel.backends.docker.fetching import fetched
from windtunnel.backends.docker.inside import IS_FOLDER
from windtunnel.backends.docker.step import Container, RunningStep
from windtunnel.backends.docker.warden import NOT_FOUND, Daemon, DaemonError
from windtunnel.backends.hurry import HurryError, unhurried
from windtunnel.backends.tracing import RAW, keep_trace
from windtunnel.errors import PlatformError
from windtunnel.plan import Job
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import Journal


def collect(
    daemon: Daemon, running: RunningStep, folder: RunFolder, journal: Journal, is_urgent: Callable[[], bool]
) -> None:
    """Keep a step's artifacts and metrics; artifacts of replicas but the first in folders of their own.

    Args:
        daemon: The daemon.
        running: The step.
        folder: The run's folder.
        journal: Told what cannot be kept.
        is_urgent: Whether somebody is in a hurry, asked meanwhile: what was fetched until then is kept.

    Raises:
        PlatformError: They cannot be fetched, or not be written here.
    """
    globs = running.step.artifacts if isinstance(running.step, Job) else ("**",)
    temporary = folder.path / "work" / running.label
    for number, container in enumerate(running.containers, start=1):
        label = running.label if number == 1 else f"{running.label}.replica-{number}"
        try:
            try:
                if missing := _fetch(daemon, container, temporary, running.name, is_urgent):
                    running.tell_lack(f"{missing}, and with it what it wrote", journal)
            except HurryError:
                journal.note("what it wrote was fetched in part: somebody is in a hurry", running.name)
            collect_artifacts(
                temporary / OUT.name, globs, folder.path / "artifacts" / label, partial(journal.note, step=running.name)
            )
            if running.step.program.trace:
                folder.redaction.mask(temporary / RAW)  # once it is compressed, nothing is found in it
                keep_trace(temporary / RAW, folder.path / "artifacts" / label, running.name, is_urgent)
            metrics = temporary / METRICS.name
            if metrics.is_file() and number == 1:
                shutil.move(metrics, running.metrics)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        if trouble := container.output.trouble(is_over=container.exit_code is not None):
            running.tell_lack(trouble, journal)


def _fetch(daemon: Daemon, container: Container, target: Path, step: str, is_urgent: Callable[[], bool]) -> str | None:
    """Copy what a container's step wrote to `target`; return what is gone, if it cannot be had (or HurryError)."""
    with ExitStack() as stack:
        with daemon_words("fetching what it wrote", step=step):
            try:
                chunks, stat = stack.enter_context(fetched(daemon, container.id, RESULTS))
            except DaemonError as error:
                if error.status != NOT_FOUND:
                    raise
                is_there = "no such container" not in str(error).lower()
                return f"it removed {RESULTS}" if is_there else "its container is gone"
        if not stat["mode"] & IS_FOLDER:
            return f"it put something else in the place of {RESULTS}"
        try:
            unpack(unhurried(chunks, is_urgent), target)
        except (OSError, tarfile.TarError) as error:
            reason = getattr(error, "strerror", None) or error
            message = f"{step}: what it wrote cannot be kept: {reason}"
            raise PlatformError(message, code="results_lost", step=step) from None
    return None
