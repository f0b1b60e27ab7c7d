"""A run on the kubernetes backend: its warden, its steps' pods, and what watches them."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from windtunnel.backends.asking import Answer
from windtunnel.backends.attended import AttendedSession
from windtunnel.backends.base import Handle, Launch, RunContext
from windtunnel.backends.kubernetes.agent import Agent
from windtunnel.backends.kubernetes.calls import API_LOST, Cluster, cluster_words
from windtunnel.backends.kubernetes.ending import Ending
from windtunnel.backends.kubernetes.facts import Facts
from windtunnel.backends.kubernetes.launcher import Launcher
from windtunnel.backends.kubernetes.objects import WARDEN, Naming, Terms, script
from windtunnel.backends.kubernetes.patience import Patience
from windtunnel.backends.kubernetes.place import Place
from windtunnel.backends.kubernetes.pod_maker import DRIVER_PODS, PodMaker
from windtunnel.backends.kubernetes.questions import Questions
from windtunnel.backends.kubernetes.requirements import Installer
from windtunnel.backends.kubernetes.results import Results
from windtunnel.backends.kubernetes.settings import lease_seconds, runner_image
from windtunnel.backends.kubernetes.starting import Starting
from windtunnel.backends.kubernetes.step import RunningStep
from windtunnel.backends.kubernetes.troubles import Troubles, check_own
from windtunnel.backends.kubernetes.usage import UsageReader
from windtunnel.backends.kubernetes.warden import Warden
from windtunnel.backends.kubernetes.watcher import Watcher
from windtunnel.backends.labels import RunLabels
from windtunnel.errors import BenchmarkFailed, PlatformError
from windtunnel.plan import InputFile, Job, Probe, Service
from windtunnel.run.folder import tail

WARDEN_SECONDS = 1.0
"""How much later than of a run's other objects one may hear of its warden, when that takes them with it."""


class KubernetesSession(AttendedSession[RunningStep]):
    """One run's objects in a cluster, all of them owned by its warden.

    Args:
        context: The run.
        cluster: Where.
        labels: What all of its objects carry.
        seconds: When its warden ends everything at the latest, from now on.
        job_pods: Makes the pods of jobs.
    """

    _kind = RunningStep
    _told_late = 3.0  # the kubelet looks once a second
    _settle_seconds = _told_late  # a client's node may tell of its end before the server's does

    def __init__(
        self,
        context: RunContext,
        cluster: Cluster,
        labels: RunLabels,
        seconds: float,
        job_pods: PodMaker = DRIVER_PODS,
    ) -> None:
        super().__init__(context)
        self._cluster = cluster = replace(cluster, patience=Patience(lambda: self._control.is_urgent))
        self._is_closed = False
        self._closing = contextlib.ExitStack()  # the last that was made is closed first
        self._closing.callback(cluster.api.close)
        self._closing.callback(shutil.rmtree, self._folder.path / "work", ignore_errors=True)
        naming = Naming.of(labels, owner=job_pods.owner)
        self._job_pods = job_pods
        self._watcher = Watcher(self._control, cluster, naming.selector)
        self._closing.callback(self._watcher.close)
        self._facts = Facts(cluster)
        self._fetched: dict[str, Path] = {}
        self._live: dict[RunningStep, None] = {}
        self._awaited: set[RunningStep] = set()
        try:
            self._begin(naming, seconds)
        except BaseException:
            self.close()
            raise

    def _begin(self, naming: Naming, seconds: float) -> None:
        cluster, runner = self._cluster, runner_image()
        self._warden = Warden(cluster, naming, self._terms(runner, seconds), self._watcher)
        self._closing.callback(self._warden.close)
        self._agent = Agent(cluster, self._warden_pod, script("agent.deeds"), WARDEN)
        self._closing.callback(self._agent.close)
        self._usage = UsageReader(self._agent, self._journal)
        self._results = Results(self._agent, self._folder, self._journal, lambda: self._control.is_urgent)
        place = Place(
            cluster=cluster,
            naming=self._warden.naming,
            plan=self._context.plan,
            key=self._warden.key,
            runner=runner,
            watcher=self._watcher,
            folder=self._folder,
            zone_of=self._facts.zone,
            addresses={self._warden.naming.home: self._warden.address},
            job_pods=self._job_pods,
        )
        self._launcher = Launcher(place, self._check_run, self._journal.doubt)
        self._closing.callback(self._launcher.close)
        self._questions = Questions(cluster, self._agent)
        self._ending = Ending(
            place=place,
            launcher=self._launcher,
            results=self._results,
            journal=self._journal,
            control=self._control,
            wait=self._wait_patiently,
            is_hub_ending=self._warden.is_ending,
        )
        self._installer = Installer(
            place, self._launcher, self._agent, self._results, self._facts, self._control, self._check_run
        )
        self._starting = Starting(self._watcher, Troubles(cluster), self._check_run, self._launcher.follow)

    def _terms(self, runner: str, seconds: float) -> Terms:
        return Terms(runner, seconds, lease_seconds(), last_calls=self._job_pods.last_calls)

    @property
    def _inputs(self) -> dict[str, Path]:
        return self._fetched

    def fetch(self, inputs: Sequence[InputFile]) -> None:
        """Fetch and verify the inputs here, and hand them to the hub, which hands them to the pods."""
        super().fetch(inputs)
        for number, (path, source) in enumerate(self._fetched.items()):
            self._agent.send_input(str(number), source, self._control.check)
            self._launcher.inputs[path] = str(number)

    def _install(self, step: Service | Job) -> tuple[dict[str, str], bool]:
        return self._installer.install(step)

    def environment(self) -> dict[str, Any]:
        """Return what is known of the cluster, of the nodes that were used, and of the images by step."""
        return self._facts.to_json(self._results.hosts)

    def start_service(self, launch: Launch[Service]) -> RunningStep:
        """Start a service, all of its replicas; one that shares its client's pod starts with that."""
        return self._start(launch)

    def start_job(self, launch: Launch[Job]) -> RunningStep:
        """Start one iteration of a job, and before it the services that share its pod."""
        running = self._start(launch)
        for beside in self._launcher.beside(running):
            self._watch_liveness(beside)
        return running

    def _start(self, launch: Launch[Service] | Launch[Job]) -> RunningStep:
        self._check_platform()
        self._ending.await_removal()
        running = self._launcher.start(launch)
        try:
            self._starting.wait(running, self._launcher.beside(running))
        except BaseException:
            # Nobody has got it yet who could stop it.
            self._ending.delete(running, 0)
            raise
        self._facts.note(running)
        self._live[running] = None
        return running

    def until_ready(self, handle: Handle, others: Sequence[Handle]) -> None:
        """Ask the readiness probe again and again; in its client's pod, Kubernetes asks."""
        if not self._own(handle).is_in_client:
            super().until_ready(handle, others)

    def _wait_change(self, condition: Callable[[], bool], seconds: float) -> bool:
        return self._watcher.wait_change(condition, seconds)

    def _check_platform(self) -> None:
        self._watcher.check()
        self._warden.check()
        for running in list(self._live):
            self._check_step(running)

    def _check_step(self, running: RunningStep) -> None:
        """Raise if what a step needs beside its pods is gone, or may not be had."""
        is_service_ending = self._watcher.is_service_ending(running.address.host)
        if is_service_ending or any(replica.is_doomed for replica in running.replicas):
            self._await_warden(running)
        if is_service_ending:
            raise PlatformError(
                f"{running.name}: its Service was deleted by somebody", code="removed", step=running.name
            )
        for replica in running.replicas:
            check_own(replica.view)
            if replica.output and replica.output.refused:
                raise replica.output.refused.to_error("reading its output", running.name)

    def _await_warden(self, running: RunningStep) -> None:
        """Hear of the warden's end first, if that is what takes a step away; once a step."""
        if running not in self._awaited:
            self._awaited.add(running)
            self._wait_change(self._warden.is_ending, WARDEN_SECONDS)
        self._warden.check()

    def _warden_pod(self) -> str:
        """Return the name of the warden's pod once it runs."""
        return self._warden.await_pod(self._check_run)

    def _check_run(self) -> None:
        self._check_platform()
        self._control.check()

    def wait(self, job: Handle, services: Sequence[Handle]) -> int:
        """Wait for the job's end while the services live."""
        running = self._own(job)
        try:
            status = super().wait(job, services)
        except BaseException:
            with contextlib.suppress(PlatformError):  # what ended the wait is the cause
                self._usage.read(self._live)
            raise
        # All that ran beside it, too: it is judged before anything is taken down.
        self._usage.read(self._live)
        ended = running.ended
        if ended and ended.is_out_of_memory:
            raise BenchmarkFailed(
                f"{running.name} {running.end().words}", code="oom", step=job.name, log_tail=tail(running.log)
            )
        if ended and ended.maker.not_found(ended.status, "\n".join(tail(running.log))):
            words = f"{running.name}: command not found: {running.step.program.command[0]}"
            raise PlatformError(words, code="command_not_found", step=job.name, log_tail=tail(running.log))
        if ended and (disruption := ended.view.disruption()):
            # Whatever its status: a load generator may end in order when it is told to, long before it is done.
            words = f"{running.name}: its pod {disruption.words}"
            raise PlatformError(words, code=disruption.code, step=job.name, log_tail=tail(running.log))
        return status

    def _ask(self, running: RunningStep, probe: Probe, timeout: float) -> Answer:
        return self._questions.ask(running, probe, timeout)

    def _run_beside(self, running: RunningStep, command: tuple[str, ...], seconds: float) -> Answer:
        return self._questions.run_beside(running, command, seconds)

    def stop(self, handle: Handle) -> None:
        """End a step and keep what it wrote; what shares its client's pod has ended with that."""
        running = self._own(handle)
        if running.is_in_client:
            self._launcher.forget(running)
            if not running.is_stopped:
                running.is_stopped = True
                self._results.take(running, 0)
            return
        super().stop(handle)

    def _finish(self, running: RunningStep, grace: float) -> None:
        self._live.pop(running, None)
        self._ending.finish(running, grace)

    def survivors(self) -> list[str]:
        """Return the steps' objects, and once this is closed the run's own too, as the API knows them."""
        if not self._is_closed:
            self._ending.await_removal()
        try:
            with cluster_words("looking for what is left"):
                return self._warden.left(steps_only=not self._is_closed)
        except PlatformError as error:
            if error.code != API_LOST:
                raise
            return [f"job {self._warden.naming.home} and what it owns, unless its warden has ended it: {error.message}"]

    def created(self) -> int:
        """Return how many objects were made."""
        return self._warden.created + self._launcher.created

    def close(self) -> None:
        """Remove everything of the run."""
        if self._is_closed:
            return
        self._is_closed = True
        self._closing.close()
