"""The wait for a step's pods: until they run, or it is known why they never will."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from windtunnel.backends.kubernetes.step import Replica, RunningStep
from windtunnel.backends.kubernetes.troubles import Troubles, to_error
from windtunnel.backends.kubernetes.watcher import Watcher
from windtunnel.errors import PlatformError
from windtunnel.run.control import POLL_SECONDS
from windtunnel.run.folder import tail


class Starting:
    """Waits for steps to start.

    Args:
        watcher: Tells of pods.
        troubles: Judges them.
        check: Raises what ends the run meanwhile.
        follow: Called with a step when a container of it may have started.
    """

    def __init__(
        self,
        watcher: Watcher,
        troubles: Troubles,
        check: Callable[[], None],
        follow: Callable[[RunningStep], None],
    ) -> None:
        self._watcher, self._troubles, self._check, self._follow = watcher, troubles, check, follow

    def wait(self, running: RunningStep, beside: Sequence[RunningStep]) -> None:
        """Return when all of a step's containers run, or have run.

        Args:
            running: The step.
            beside: Services in its pod, which are ready before it starts.

        Raises:
            PlatformError: One cannot start, or one beside it is not ready in time.
        """
        began: dict[str, float] = {}
        everyone = (*beside, running)

        def is_settled() -> bool:
            return all(replica.has_started for replica in running.replicas)

        while True:
            is_over = self._watcher.wait_change(is_settled, POLL_SECONDS)
            for each in everyone:
                self._follow(each)
            for replica in running.replicas:
                self._check_trouble(running, replica)
            if is_over:
                return
            self._check()
            for each in beside:
                _check_beside(each, began)

    def _check_trouble(self, running: RunningStep, replica: Replica) -> None:
        trouble = None if replica.has_terminated_well else self._troubles.of_pod(replica.view)
        if trouble and trouble.code == "removed" and replica.maker.removal_seconds:
            self._watcher.wait_change(lambda: False, replica.maker.removal_seconds)
            self._check()
        if trouble:
            whose = running.name if trouble.container in {None, replica.container} else trouble.container
            raise to_error(f"{whose}:", trouble, running.name)


def _check_beside(service: RunningStep, began: dict[str, float]) -> None:
    """Raise if a service in its client's pod ended, or is not ready in time; its client has not started."""
    within = service.service.ready.within
    for replica in service.replicas:
        log_tail = tail(service.log)
        if replica.is_over:
            raise PlatformError(
                f"{service.name} {service.end().words} before it was ready",
                code="oom" if replica.is_out_of_memory else "exited_before_ready",
                step=service.name,
                log_tail=log_tail,
            )
        if replica.has_started and time.monotonic() > began.setdefault(service.name, time.monotonic()) + within:
            if replica.view.container(replica.container).get("started"):
                continue
            raise PlatformError(
                f"{service.name} was not ready within {within:g} s, as Kubernetes asked it in its client's pod",
                code="not_ready",
                step=service.name,
                log_tail=log_tail,
            )
