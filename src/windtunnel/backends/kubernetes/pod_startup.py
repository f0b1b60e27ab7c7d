"""The wait for pods: until they run, or it is known why they never will."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from windtunnel.backends.base import describe_status
from windtunnel.backends.kubernetes.diagnosis import PATIENCE_SECONDS, Diagnosis, to_error
from windtunnel.backends.kubernetes.run_resources import RunResources
from windtunnel.backends.kubernetes.task import PodTask
from windtunnel.backends.labels import PREFIX
from windtunnel.backends.unit import Unit
from windtunnel.errors import PlatformError
from windtunnel.plan import Service, members_of
from windtunnel.run.control import POLL_SECONDS
from windtunnel.run.folder import tail


class Startup:
    """Waits for tasks to start.

    Args:
        resources: What the run has.
    """

    def __init__(self, resources: RunResources) -> None:
        self._resources, self._notifier = resources, resources.watcher.notifier
        self._diagnosis = Diagnosis(resources.cluster)
        self._held: set[str] = set()
        self._unseen: dict[str, float] = {}

    def wait(self, tasks: Sequence[PodTask], sidecars: Sequence[PodTask] = ()) -> None:
        """Return when all tasks run, or have run.

        Args:
            tasks: They, all of one step.
            sidecars: Services in the same pod, which are ready before it starts.

        Raises:
            PlatformError: One cannot start, or one beside it is not ready in time.
            TimedOut, Cancelled: As the run's control says.
        """
        began: dict[str, float] = {}

        def check() -> None:
            for each in sidecars:
                _check_sidecar(each, began)

        self._await(tasks, lambda task: task.has_started, check)

    def wait_for_places(self, tasks: Sequence[PodTask]) -> None:
        """Return when each task has a node; raises as `wait` does."""
        self._await(tasks, lambda task: task.view.node is not None)

    def _await(
        self, tasks: Sequence[PodTask], has: Callable[[PodTask], bool], check: Callable[[], object] = lambda: None
    ) -> None:
        def is_settled() -> bool:
            return all(map(has, tasks))

        while True:
            is_over = self._notifier.wait(is_settled, POLL_SECONDS)
            for task in tasks:
                self._check_trouble(task)
            if is_over:
                return
            self._resources.check()
            self._tell_holds(tasks)
            check()

    def _tell_holds(self, tasks: Sequence[PodTask]) -> None:
        """Tell once of each step that others hold it back: a queue may take as long as the run may."""
        for task in tasks:
            step = task.unit.step.name
            if step not in self._held and (words := self._hold(task)):
                self._held.add(step)
                self._resources.context.journal.note(words, step)

    def _hold(self, task: PodTask) -> str:
        """Return what holds a task's pod back; nothing if nothing does, or only just."""
        view, now = task.view, time.monotonic()
        if gates := [gate for gate in view.gates if not gate.startswith(PREFIX)]:
            return f"waits for {', '.join(gates)}, which holds its pods back from being scheduled"
        if view.unseen_by and now > self._unseen.setdefault(task.pod, now) + PATIENCE_SECONDS:
            return f"waits for the scheduler {view.unseen_by}, which has not looked at its pods yet"
        return ""

    def _check_trouble(self, task: PodTask) -> None:
        trouble = None if task.has_terminated_well else self._diagnosis.of_pod(task.view)
        if trouble:
            if trouble.code == "removed" and task.maker.removal_seconds:
                self._notifier.wait(lambda: False, task.maker.removal_seconds)
            # What ends the run takes its pods with it.
            self._resources.check()
            step = task.unit.step.name
            whose = step if trouble.container in {None, task.container} else trouble.container
            raise to_error(f"{whose}:", trouble, step)


def how_many_fit(error: BaseException, unit: Unit, tasks: Sequence[PodTask]) -> str:
    """Return how many of a step's members have room where not all have; nothing for other errors and other steps.

    Args:
        error: Why they were not all started.
        unit: One of them.
        tasks: Those of which the API took the pods.
    """
    if unit.hostname is None or not isinstance(error, PlatformError) or error.code not in {"unschedulable", "quota"}:
        return ""
    # A quota stops them one after the other, before the scheduler has seen any.
    fit = tasks if error.code == "quota" else [task for task in tasks if task.view.node]
    return f"{len(fit)} of {members_of(unit.step)} would fit"


def _check_sidecar(task: PodTask, began: dict[str, float]) -> None:
    """Raise if a service in its client's pod ended, or is not ready in time; its client has not started."""
    service, log_tail = task.unit.step, tail(task.log)
    if not isinstance(service, Service):
        return
    state = task.state
    if state.phase == "gone":
        raise PlatformError(
            f"{service.name} {state.words or describe_status(state.status or 0)} before it was ready",
            code=state.reason or "exited_before_ready",
            step=service.name,
            log_tail=log_tail,
        )
    within = service.ready.within
    if task.has_started and time.monotonic() > began.setdefault(service.name, time.monotonic()) + within:
        if task.view.container(task.container).get("started"):
            return
        raise PlatformError(
            f"{service.name} was not ready within {within:g} s, as Kubernetes asked it in its client's pod",
            code="not_ready",
            step=service.name,
            log_tail=log_tail,
        )
