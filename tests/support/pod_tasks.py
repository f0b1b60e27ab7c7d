"""Tasks of pods of which a test says what the API told; no cluster is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

from windtunnel.backends.base import Address
from windtunnel.backends.containers import METRICS, OUT, WORK
from windtunnel.backends.kubernetes.pod_maker import DRIVER_PODS
from windtunnel.backends.kubernetes.pods import PodView
from windtunnel.backends.kubernetes.task import PodTask
from windtunnel.backends.unit import Site, Unit
from windtunnel.plan import Job, Program, Service

CLIENT = Job(name="client", program=Program(command=("measure",)))


def pod_task(
    view: PodView,
    step: Service | Job = CLIENT,
    *,
    client: str | None = None,
    log: Path = Path("log"),
    resources: Any = None,
    number: int = 1,
    is_heard: bool = True,
) -> PodTask:
    """Return a task of a step whose pod was heard of as `view` says.

    Args:
        view: What the API told of its pod.
        step: The step.
        client: The container of its client, if that is in the same pod.
        log: Its output.
        resources: What the run has; its watcher tells `view`.
        number: Which replica.
        is_heard: Whether `view` was heard already.
    """
    resources = resources or Mock()
    resources.watcher.view = lambda _pod: view
    iteration = 1 if isinstance(step, Job) else None
    unit = Unit(step, iteration, number, Site(Address(step.name, 80), WORK, OUT, METRICS), step.program.command)
    task = PodTask(
        unit=unit,
        log=log,
        pod=view.name or "pod",
        container=step.name,
        resources=resources,
        maker=DRIVER_PODS,
        client=client,
    )
    task.output = Mock(is_awaited=lambda _ended_at: False, trouble=lambda is_over: None)  # noqa: ARG005 - a name
    if is_heard:
        task.hear()
    return task
