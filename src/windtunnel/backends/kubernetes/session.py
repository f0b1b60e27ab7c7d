"""A run on the kubernetes backend: its warden, its steps' pods, and what watches them."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from windtunnel.backends.asking import Answer
from windtunnel.backends.attended import AttendedSession, seconds_until
from windtunnel.backends.base import Address, Handle, Launch, RunContext
from windtunnel.backends.kubernetes.agent import Agent
from windtunnel.backends.kubernetes.calls import Cluster, cluster_words
from windtunnel.backends.kubernetes.commands import run_command
from windtunnel.backends.kubernetes.facts import Facts
from windtunnel.backends.kubernetes.launcher import Launcher, Place
from windtunnel.backends.kubernetes.objects import WARDEN, Naming, Terms, script
from windtunnel.backends.kubernetes.pods import COLLECTOR
from windtunnel.backends.kubernetes.requirements import Installer
from windtunnel.backends.kubernetes.results import Results
from windtunnel.backends.kubernetes.settings import lease_seconds, runner_image
from windtunnel.backends.kubernetes.spec import COLLECT_SECONDS
from windtunnel.backends.kubernetes.starting import Starting
from windtunnel.backends.kubernetes.step import Replica, RunningStep
from windtunnel.backends.kubernetes.troubles import Troubles
from windtunnel.backends.kubernetes.usage import UsageReader
from windtunnel.backends.kubernetes.warden import Warden
from windtunnel.backends.kubernetes.watcher import Watcher
from windtunnel.backends.labels import RunLabels
from windtunnel.backends.probes import ask
from windtunnel.errors import BenchmarkFailed, PlatformError
from windtunnel.plan import InputFile, Job, Probe, Service
from windtunnel.run.folder import tail
from windtunnel.substitution import substitute

GONE_SECONDS = 30.0
"""How long a pod may take to go beyond its grace."""
KILL_SECONDS = 10.0
WARDEN_SECONDS = 1.0
"""How much later than of a run's other objects one may hear of its warden, when that takes them with it."""
_LEAST_COLLECT = 3.0
_ASKED_OVER_NETWORK = {"http", "tcp"}
_LOOPBACK_HINT = "; in a pod a server has to listen on all addresses (0.0.0.0), not on 127.0.0.1 alone"
_REFUSED = "connection refused"


class KubernetesSession(AttendedSession[RunningStep]):
    """One run's objects in a cluster, all of them owned by its warden.

    Args:
        context: The run.
        cluster: Where.
        labels: What all of its objects carry.
        seconds: When its warden ends everything at the latest, from now on.
    """

    _kind = RunningStep
    _told_late = 3.0  # the kubelet looks once a second
    _settle_seconds = _told_late  # a client's node may tell of its end before the server's does

    def __init__(self, context: RunContext, cluster: Cluster, labels: RunLabels, seconds: float) -> None:
        super().__init__(context)
        self._cluster = cluster
        self._is_closed = False
        self._closing = contextlib.ExitStack()  # the last that was made is closed first
        self._closing.callback(shutil.rmtree, self._folder.path / "work", ignore_errors=True)
        naming = Naming.of(labels)
        self._watcher = Watcher(cluster, naming.selector)
        self._closing.callback(self._watcher.close)
        self._facts = Facts(cluster)
        self._fetched: dict[str, Path] = {}
        self._live: dict[RunningStep, None] = {}
        self._leaving: dict[RunningStep, float] = {}
        self._awaited: set[RunningStep] = set()
        try:
            self._begin(naming, seconds)
        except BaseException:
            self.close()
            raise

    def _begin(self, naming: Naming, seconds: float) -> None:
        cluster, runner = self._cluster, runner_image()
        self._warden = Warden(cluster, naming, Terms(runner, seconds, lease_seconds()), self._watcher)
        self._closing.callback(self._warden.close)
        self._agent = Agent(cluster, self._warden_pod, script("agent"), WARDEN)
        self._closing.callback(self._agent.close)
        self._usage = UsageReader(self._agent, self._journal)
        self._results = Results(self._agent, self._folder, self._journal)
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
        )
        self._launcher = Launcher(place)
        self._closing.callback(self._launcher.close)
        self._installer = Installer(
            place, self._launcher, self._agent, self._results, self._facts, self._control, self._check_run
        )
        self._starting = Starting(self._watcher, Troubles(cluster), self._check_run, self._launcher.follow)

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
        self._await_removal()
        running = self._launcher.start(launch)
        try:
            self._starting.wait(running, self._launcher.beside(running))
        except BaseException:
            # Nobody has got it yet who could stop it.
            self._delete(running, 0)
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
        if ended and (disruption := ended.view.disruption()):
            # Whatever its status: a load generator may end in order when it is told to, long before it is done.
            words = f"{running.name}: its pod {disruption.words}"
            raise PlatformError(words, code=disruption.code, step=job.name, log_tail=tail(running.log))
        return status

    def _ask(self, running: RunningStep, probe: Probe, timeout: float) -> Answer:
        answer = Answer(ok=False, detail="no pod")
        for replica in running.replicas:
            answer = self._ask_replica(running, replica, probe, timeout)
            if not answer.ok:
                hint = _LOOPBACK_HINT if answer.detail == _REFUSED else ""
                return replace(answer, detail=f"{answer.detail}{hint}")
        if running.address.port and not running.is_reached and not running.is_in_client:
            # A server's own answer is not enough: the client takes the way through the Service.
            host, port = running.address.host, running.address.port
            answer = self._agent.probe("tcp", host, port, "", timeout)
            if not answer.ok:
                return replace(answer, detail=f"the Service {host}:{port}: {answer.detail}{_LOOPBACK_HINT}")
            running.is_reached = True
        return answer

    def _ask_replica(self, running: RunningStep, replica: Replica, probe: Probe, timeout: float) -> Answer:
        port = probe.port or running.address.port or 0
        if probe.kind in _ASKED_OVER_NETWORK:
            return self._agent.probe(probe.kind, replica.view.ip, port, probe.target, timeout)
        log = replica.output.path if replica.output else running.log
        address = Address(replica.view.ip, running.address.port)
        return ask(probe, address, log, lambda c, t: self._run_in(running, replica, c, t), timeout)

    def _run_beside(self, running: RunningStep, command: tuple[str, ...], seconds: float) -> Answer:
        answers = [self._run_in(running, replica, command, seconds) for replica in running.replicas]
        return next((answer for answer in answers if not answer.ok), answers[0])

    def _run_in(self, running: RunningStep, replica: Replica, command: tuple[str, ...], seconds: float) -> Answer:
        argv = [substitute(word, running.values) for word in command]
        return run_command(self._cluster, replica, running.name, argv, seconds)

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
        """Take what it wrote, and its pods away; one that runs gets SIGTERM, and SIGKILL after `grace` seconds.

        That the pods are gone is waited for before the next ones start, or at the end: many go in
        the time of one.
        """
        can_send = any(replica.view.is_running(COLLECTOR) for replica in running.replicas)
        self._live.pop(running, None)
        self._leaving[running] = time.monotonic() + grace + GONE_SECONDS
        if running.is_gone:
            # Its collector is told to send once all that was beside it has ended.
            graces = sum(each.service.grace for each in self._launcher.beside(running))
            self._collect(running, graces + COLLECT_SECONDS if can_send else _LEAST_COLLECT)
            self._delete(running, 0)
            return
        # Kubernetes gives one grace to all of a pod: what the step has left of it is its collector's.
        self._delete(running, 1 if self._control.is_urgent else grace + COLLECT_SECONDS)
        self._wait_patiently(lambda: running.is_gone, grace)
        if not running.is_gone:
            self._kill(running)
            self._wait_change(lambda: running.is_gone, KILL_SECONDS)
        if can_send:
            self._collect(running, _LEAST_COLLECT)

    def _kill(self, running: RunningStep) -> None:
        """End its containers at once, though its pods were given a grace."""
        for replica in running.replicas:
            if replica.view.is_running(COLLECTOR):
                beside = Replica(replica.pod, COLLECTOR, replica.look)
                run_command(self._cluster, beside, running.name, script("kill"), KILL_SECONDS)

    def _collect(self, running: RunningStep, seconds: float) -> None:
        beside = self._launcher.beside(running)
        for each in (running, *beside):
            if not self._results.take(each, seconds):
                self._journal.note("its pod is gone, and with it what it wrote", each.name)
            for replica in each.replicas:
                if replica.output and replica.output.problem:
                    self._journal.note(f"its output could not be written: {replica.output.problem}", each.name)

    def _delete(self, running: RunningStep, grace: float) -> None:
        for replica in running.replicas:
            with cluster_words("deleting its pod", running.name):
                # Zero would take the object away before its containers have ended.
                self._cluster.delete("Pod", replica.pod, max(1.0, grace))

    def _await_removal(self) -> None:
        """Wait until what was stopped is gone, and with it what belongs to it."""
        for running, deadline in list(self._leaving.items()):
            gone = self._wait_change(
                lambda running=running: all(each.view.is_removed for each in running.replicas),  # type: ignore[misc]
                seconds_until(deadline),
            )
            if not gone:
                self._journal.note("its pod is still there; the run's end will take it away", running.name)
            self._launcher.remove_belongings(running)
            del self._leaving[running]

    def survivors(self) -> list[str]:
        """Return the steps' objects, and once this is closed the run's own too, as the API knows them."""
        if not self._is_closed:
            self._await_removal()
        with cluster_words("looking for what is left"):
            return self._warden.left(steps_only=not self._is_closed)

    def created(self) -> int:
        """Return how many objects were made."""
        return self._warden.created + self._launcher.created

    def close(self) -> None:
        """Remove everything of the run."""
        if self._is_closed:
            return
        self._is_closed = True
        self._closing.close()
