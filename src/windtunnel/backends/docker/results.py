"""What a step wrote, fetched from its containers into the run's folder."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path, PurePosixPath

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
from windtunnel.errors import InvalidResult, PlatformError
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
        InvalidResult: The metrics are no file (``unreadable_output``).
    """
    globs = running.step.artifacts if isinstance(running.step, Job) else ("**",)
    temporary = folder.path / "work" / running.label
    for number, container in enumerate(running.containers, start=1):
        label = running.label if number == 1 else f"{running.label}.replica-{number}"
        others: set[PurePosixPath] = set()
        try:
            try:
                others = _fetch(daemon, container, temporary, running, is_urgent)
            except _GoneError as error:
                running.tell_lack(f"{error}, and with it what it wrote", journal)
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
            if isinstance(running.step, Job) and PurePosixPath(METRICS.name) in others:
                message = "$WINDTUNNEL_METRICS cannot be read: what stands there is no file"
                raise InvalidResult(message, code="unreadable_output", step=running.name)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        if trouble := container.output.trouble(is_over=container.exit_code is not None):
            running.tell_lack(trouble, journal)


class _GoneError(Exception):
    """What a step wrote cannot be had: how that came, in words."""


def _fetch(
    daemon: Daemon, container: Container, target: Path, running: RunningStep, is_urgent: Callable[[], bool]
) -> set[PurePosixPath]:
    """Copy what a container's step wrote to `target`; return the names of what is no file.

    Raises:
        _GoneError, HurryError: It cannot be had, or not all of it.
    """
    step = running.name
    with ExitStack() as stack:
        with daemon_words("fetching what it wrote", step=step):
            try:
                chunks, stat = stack.enter_context(fetched(daemon, container.id, RESULTS))
            except DaemonError as error:
                if error.status != NOT_FOUND:
                    raise
                is_there = "no such container" not in str(error).lower()
                raise _GoneError(f"it removed {RESULTS}" if is_there else "its container is gone") from None
        if not stat["mode"] & IS_FOLDER:
            raise _GoneError(f"it put something else in the place of {RESULTS}")
        try:
            return unpack(unhurried(chunks, is_urgent), target)
        except (OSError, tarfile.TarError) as error:
            reason = getattr(error, "strerror", None) or error
            message = f"{step}: what it wrote cannot be kept: {reason}"
            raise PlatformError(message, code="results_lost", step=step) from None
