"""The end of pods: what ends them, how long that may take, and what is waited for before the next ones start."""

from __future__ import annotations

import time
from collections.abc import Callable

from windtunnel.backends.kubernetes.api import map_errors
from windtunnel.backends.kubernetes.exec_command import run_command
from windtunnel.backends.kubernetes.manifests import arguments_name, script
from windtunnel.backends.kubernetes.pod_launcher import PodGroup
from windtunnel.backends.kubernetes.pod_spec import COLLECT_SECONDS
from windtunnel.backends.kubernetes.pods import COLLECTOR
from windtunnel.backends.kubernetes.run_resources import RunResources
from windtunnel.backends.notifier import seconds_until
from windtunnel.plan import Service

GONE_SECONDS = 30.0
"""How long a pod may take to go beyond its grace."""
KILL_SECONDS = 10.0
_LEAST_COLLECT = 3.0


class Shutdown:
    """Ends the pods of one run.

    Args:
        resources: What the run has.
        is_hub_ending: Tells whether collectors have nowhere to send any more.
    """

    def __init__(self, resources: RunResources, is_hub_ending: Callable[[], bool]) -> None:
        self._resources, self._is_hub_ending = resources, is_hub_ending
        self._notifier = resources.watcher.notifier
        self._leaving: dict[PodGroup, float] = {}

    def end(self, group: PodGroup, grace: float) -> None:
        """End what still runs of some pods: SIGTERM, and SIGKILL after `grace` seconds.

        What they wrote may be fetched then, and their removal takes away what is left. That the pods
        are gone is waited for before the next ones start, or at the end: many go in the time of one.
        """
        can_send = any(task.view.is_running(COLLECTOR) for task in group.tasks)
        self._leaving[group] = time.monotonic() + grace + GONE_SECONDS
        if group.is_over:
            self._settle(group, can_send=can_send)
            return
        # What it says to its end is written, too; of many replicas not all were followed until now.
        for task in group.tasks:
            task.follow()
        # Kubernetes gives one grace to all of a pod: what the step has left of it is its collector's.
        grace = min(grace, self._resources.context.control.grace_left)
        group.delete(grace + COLLECT_SECONDS if grace else 1)

        def is_over() -> bool:
            # Without a hub its collector tries in vain, and the pod's end is not told before it gives up.
            return group.is_over or self._is_hub_ending()

        self._notifier.wait_for_grace(is_over, grace)
        if not is_over():
            self._kill(group)
        if not is_over():
            self._notifier.wait(is_over, KILL_SECONDS)
        for task in (*group.tasks, *group.sidecars):
            task.collect_seconds = _LEAST_COLLECT if can_send else None

    def _settle(self, group: PodGroup, *, can_send: bool) -> None:
        """Let the collector of pods whose step has ended send: their removal deletes them."""
        if any(task.is_stuck for task in group.tasks):
            # What looks at its pod waits for a word that never comes, and the collector for that one's end.
            group.delete(COLLECT_SECONDS)
        # Its collector is told to send once all that was beside it has ended.
        self._end_sidecars(group)
        for task in (*group.tasks, *group.sidecars):
            task.collect_seconds = COLLECT_SECONDS if can_send else _LEAST_COLLECT
        for task in group.tasks:
            task.is_pod_kept = not task.maker.removes_pods

    def _end_sidecars(self, group: PodGroup) -> None:
        """Give the servers in a client's pod, which are told of its end, their graces; kill what stays.

        Kubernetes would give them the pod's. And what runs its containers may take a server whose main
        thread has ended for one that is over, and never end it.
        """
        if not group.sidecars:
            return
        steps = [task.unit.step for task in group.sidecars]
        graces = sum(step.grace for step in steps if isinstance(step, Service))

        def have_stopped() -> bool:
            return all(task.has_stopped for task in group.sidecars)

        self._notifier.wait_for_grace(have_stopped, graces)
        if not have_stopped():
            self._kill(group)
        self._notifier.wait_patiently(lambda: all(task.is_down for task in group.sidecars), KILL_SECONDS)

    def _kill(self, group: PodGroup) -> None:
        """End containers at once, though their pods were given a grace, unless somebody else still looks at them."""
        for task in group.tasks:
            if task.view.is_running(COLLECTOR) and not task.maker.removes_pods:
                cluster, collector = self._resources.cluster, (task.pod, COLLECTOR)
                run_command(cluster, collector, group.step, script("kubernetes.pod.kill"), KILL_SECONDS)

    def give_back(self, group: PodGroup) -> None:
        """End pods that nobody has got yet.

        What belongs to the step as a whole is there for another try, or goes with the run.
        """
        own = {arguments_name(task.pod) for task in group.tasks}
        group.belongings = [each for each in group.belongings if each[1] in own]
        self._leaving[group] = time.monotonic() + GONE_SECONDS
        group.delete(0)

    def await_removal(self) -> None:
        """Wait until what was ended is gone, and with it what belongs to it."""
        for group, deadline in list(self._leaving.items()):
            gone = self._notifier.wait(
                lambda group=group: all(task.is_away for task in group.tasks),  # type: ignore[misc]
                seconds_until(deadline),
            )
            if not gone:
                words = "its pod is still there; the run's end will take it away"
                self._resources.context.journal.note(words, group.step)
            self._remove_belongings(group)
            del self._leaving[group]

    def _remove_belongings(self, group: PodGroup) -> None:
        """Delete what belongs to pods that are gone; it would go with the run too."""
        with map_errors("removing what it had", group.step):
            for kind, name in group.belongings:
                self._resources.cluster.delete(kind, name)
