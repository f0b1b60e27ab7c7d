"""The end of steps: what they wrote is taken, and their pods go."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from windtunnel.backends.kubernetes.calls import cluster_words
from windtunnel.backends.kubernetes.commands import run_command
from windtunnel.backends.kubernetes.launcher import Launcher
from windtunnel.backends.kubernetes.objects import script
from windtunnel.backends.kubernetes.place import Place
from windtunnel.backends.kubernetes.pods import COLLECTOR
from windtunnel.backends.kubernetes.results import Results
from windtunnel.backends.kubernetes.spec import COLLECT_SECONDS
from windtunnel.backends.kubernetes.step import Replica, RunningStep
from windtunnel.backends.kubernetes.troubles import check_own
from windtunnel.backends.notifier import seconds_until
from windtunnel.run.control import Control
from windtunnel.run.journal import Journal

GONE_SECONDS = 30.0
"""How long a pod may take to go beyond its grace."""
KILL_SECONDS = 10.0
_LEAST_COLLECT = 3.0


@dataclass(frozen=True)
class Ending:
    """Ends the steps of one run.

    Attributes:
        place: What the run's steps share on the cluster.
        launcher: What started them.
        results: Takes what they wrote.
        journal: Told what could not be had.
        control: Tells whether somebody is in a hurry.
        wait: Waits for a condition so many seconds at most, or until somebody is in a hurry.
        is_hub_ending: Tells whether collectors have nowhere to send any more.
    """

    place: Place
    launcher: Launcher
    results: Results
    journal: Journal
    control: Control
    wait: Callable[[Callable[[], bool], float], None]
    is_hub_ending: Callable[[], bool]
    _leaving: dict[RunningStep, float] = field(default_factory=dict)

    def finish(self, running: RunningStep, grace: float) -> None:
        """Take what it wrote, and its pods away; one that runs gets SIGTERM, and SIGKILL after `grace` seconds.

        That the pods are gone is waited for before the next ones start, or at the end: many go in
        the time of one.
        """
        can_send = any(replica.view.is_running(COLLECTOR) for replica in running.replicas)
        self._leaving[running] = time.monotonic() + grace + GONE_SECONDS
        if running.is_gone:
            if any(replica.is_orphaned for replica in running.replicas):
                # What looks at its pod waits for a word that never comes, and the collector for that one's end.
                self.delete(running, COLLECT_SECONDS)
            # Its collector is told to send once all that was beside it has ended.
            self._end_beside(running)
            self._collect(running, COLLECT_SECONDS if can_send else _LEAST_COLLECT)
            if not _is_removed_by_another(running):
                self.delete(running, 0)
            return
        # Kubernetes gives one grace to all of a pod: what the step has left of it is its collector's.
        self.delete(running, 1 if self.control.is_urgent else grace + COLLECT_SECONDS)

        def is_over() -> bool:
            # Without a hub its collector tries in vain, and the pod's end is not told before it gives up.
            return running.is_gone or self.is_hub_ending()

        self.wait(is_over, grace)
        if not is_over() and not _is_removed_by_another(running):
            self._kill(running)
        if not is_over():
            self.place.watcher.wait_change(is_over, KILL_SECONDS)
        if can_send:
            self._collect(running, _LEAST_COLLECT)

    def _end_beside(self, running: RunningStep) -> None:
        """Give the servers in a client's pod, which are told of its end, their graces; kill what stays.

        Kubernetes would give them the pod's. And what runs its containers may take a server whose main
        thread has ended for one that is over, and never end it.
        """
        if beside := self.launcher.beside(running):
            self.wait(lambda: all(each.is_gone for each in beside), sum(each.service.grace for each in beside))
            if not _is_removed_by_another(running) and not all(each.is_gone for each in beside):
                self._kill(running)

    def _kill(self, running: RunningStep) -> None:
        """End its containers at once, though its pods were given a grace."""
        for replica in running.replicas:
            if replica.view.is_running(COLLECTOR):
                beside = Replica(replica.pod, COLLECTOR, replica.look)
                run_command(self.place.cluster, beside, running.name, script("kubernetes.pod.kill"), KILL_SECONDS)

    def _collect(self, running: RunningStep, seconds: float) -> None:
        beside = self.launcher.beside(running)
        for each in (running, *beside):
            is_whole = self.results.take(each, seconds)
            for replica in each.replicas:
                check_own(replica.view)
            if not is_whole:
                each.tell_lack("its pod is gone, and with it what it wrote", self.journal)
            for replica in each.replicas:
                if replica.output and (trouble := replica.output.trouble(is_over=replica.has_terminated)):
                    each.tell_lack(trouble, self.journal)

    def delete(self, running: RunningStep, grace: float) -> None:
        """Have a step's pods deleted, with so many seconds of grace."""
        for replica in running.replicas:
            with cluster_words("deleting its pod", running.name):
                self.place.cluster.delete("Pod", replica.pod, max(replica.maker.least_grace, grace))

    def await_removal(self) -> None:
        """Wait until what was stopped is gone, and with it what belongs to it."""
        for running, deadline in list(self._leaving.items()):
            gone = self.place.watcher.wait_change(
                lambda running=running: all(each.is_away for each in running.replicas),  # type: ignore[misc]
                seconds_until(deadline),
            )
            if not gone:
                self.journal.note("its pod is still there; the run's end will take it away", running.name)
            self.launcher.remove_belongings(running)
            del self._leaving[running]


def _is_removed_by_another(running: RunningStep) -> bool:
    return any(replica.maker.removes_pods for replica in running.replicas)
