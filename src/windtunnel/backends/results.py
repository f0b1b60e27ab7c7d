"""What a step wrote: kept in the run's folder once the step has ended."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path, PurePosixPath

from windtunnel.backends.artifacts import collect_artifacts, remove_tree
from windtunnel.backends.base import RunContext
from windtunnel.backends.platform import Task
from windtunnel.backends.running import Running
from windtunnel.backends.tracing import RAW, keep_trace
from windtunnel.errors import InvalidResult
from windtunnel.mpi.launch_script import beside
from windtunnel.plan import Job

OUT, METRICS = "out", "metrics.jsonl"
"""What a task's results are called in the folder that it is asked to copy them to."""


def keep_results(running: Running, context: RunContext) -> None:
    """Keep a step's artifacts, metrics and system calls; artifacts of replicas but the first under names of their own.

    Raises:
        PlatformError: They cannot be fetched, or not be written here.
        InvalidResult: The metrics are no file (``unreadable_output``).
    """
    for task in running.tasks:
        _keep(running, task, context)


def _keep(running: Running, task: Task, context: RunContext) -> None:
    folder, journal = context.folder, context.journal
    label = task.unit.label
    source, artifacts = folder.path / "work" / f"{label}.results", folder.path / "artifacts" / label
    tell = partial(journal.note, step=running.name)
    try:
        collected = task.collect(source)
        if collected.lack:
            tell_lack(running, collected.lack, context)
        globs = running.step.artifacts if isinstance(running.step, Job) else ("**",)
        collect_artifacts(source / OUT, globs, artifacts, tell)
        if running.step.program.trace:
            folder.redaction.mask(source / RAW)  # once it is compressed, nothing is found in it
            keep_trace(source / RAW, artifacts, running.name, lambda: context.control.is_urgent)
        metrics = source / METRICS
        _keep_metrics(running, task, metrics)
        if (report := beside(metrics)).is_file() and task.unit.number == 1:
            shutil.move(report, running.launch_report)
        if isinstance(running.step, Job) and PurePosixPath(METRICS) in collected.others:
            message = "$WINDTUNNEL_METRICS cannot be read: what stands there is no file"
            raise InvalidResult(message, code="unreadable_output", step=running.name)
    finally:
        if problem := remove_tree(source):
            tell(f"what it left on disk cannot be removed: {problem}")


def _keep_metrics(running: Running, task: Task, metrics: Path) -> None:
    """Keep what a task measured; what each member of a job did is the job's."""
    is_job, number = isinstance(running.step, Job), task.unit.number
    kept = running.metrics.with_name(f"{task.unit.label}.{METRICS}")
    if metrics.is_file() and (is_job or number == 1):
        shutil.move(metrics, kept)
    if is_job and number > 1 and kept.is_file():
        with running.metrics.open("ab") as all_of_them:
            all_of_them.write(b"\n" + kept.read_bytes())


def tell_lack(running: Running, words: str, context: RunContext) -> None:
    """Tell what is missing of what a step wrote; where it measures, its numbers may be other than they were."""
    iteration = running.iteration
    if isinstance(running.step, Job) and (iteration or 0) > running.step.warmup:
        context.journal.doubt(f"in iteration {iteration} {words}", running.name, iteration)
    else:
        context.journal.note(words, running.name, iteration)
