"""A run on the docker backend: its network, its containers, and what watches them."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from windtunnel.backends.attended import AttendedSession
from windtunnel.backends.base import Address, Handle, Launch, RunContext, describe_status
from windtunnel.backends.docker.calls import APIError, daemon_words, make_client
from windtunnel.backends.docker.events import Watcher
from windtunnel.backends.docker.images import find_images
from windtunnel.backends.docker.inner_asking import ask_inside
from windtunnel.backends.docker.launcher import Launcher, Place
from windtunnel.backends.docker.networks import ASKED_OVER_NETWORK, Networks
from windtunnel.backends.docker.requirements import Installer
from windtunnel.backends.docker.results import collect
from windtunnel.backends.docker.step import Container, RunningStep
from windtunnel.backends.docker.streams import Command
from windtunnel.backends.docker.tracer import pack_tracer
from windtunnel.backends.docker.usage import UsageSampler
from windtunnel.backends.docker.warden import Daemon, find
from windtunnel.backends.docker.warden_client import WardenClient
from windtunnel.backends.labels import RunLabels
from windtunnel.backends.probes import Answer, ask
from windtunnel.backends.tracing import find_strace
from windtunnel.errors import BenchmarkFailed, PlatformError
from windtunnel.plan import InputFile, Job, Probe, Service
from windtunnel.run.control import POLL_SECONDS
from windtunnel.run.folder import tail
from windtunnel.substitution import substitute

KILL_SECONDS = 10.0
_LOOPBACK_HINT = "; in a container a server has to listen on all addresses (0.0.0.0), not on 127.0.0.1 alone"


class DockerSession(AttendedSession[RunningStep]):
    """One run's containers, on a network of their own.

    Args:
        context: The run.
        warden: Its warden, which was started and may not stand yet.
        labels: What all of its resources carry.
    """

    _kind = RunningStep

    def __init__(self, context: RunContext, warden: WardenClient, labels: RunLabels) -> None:
        super().__init__(context)
        self._warden, self._daemon = warden, Daemon()
        self._is_closed = False
        self._doubted: set[RunningStep] = set()
        self._networks: Networks | None = None
        self._closing = contextlib.ExitStack()  # the last that was made is closed first
        self._closing.callback(shutil.rmtree, self._folder.path / "work", ignore_errors=True)
        self._closing.callback(warden.close)
        try:
            self._open(labels)
        except BaseException:
            self.close()
            raise

    def _open(self, labels: RunLabels) -> None:
        strace = find_strace(self._context.plan)
        self._api = make_client()
        self._closing.callback(self._api.close)
        with daemon_words("asking Docker about itself"):
            self._info = dict(self._api.info())
            machine = str(self._api.version()["Arch"])
        self._images = find_images(self._api, self._context.plan, self._control, self._journal.note)
        for step, image in self._images.items():
            if not image.is_native(machine):
                words = f"image {image.name!r} is for {image.architecture}, and Docker's machine is {machine}"
                self._journal.doubt(f"{step}: {words}: its programs are emulated, or do not run")
        self._warden.wait_ready()
        self._watcher = Watcher(self._control, self._api, self._journal.doubt)
        self._closing.callback(self._watcher.close)
        self._usage = UsageSampler(self._control, self._api, self._journal.add_usage)
        self._closing.callback(self._usage.close)
        self._networks = networks = self._make_networks(labels)
        self._place = Place(
            api=self._api,
            daemon=self._daemon,
            warden=self._warden,
            watcher=self._watcher,
            networks=networks,
            labels=labels,
            images=self._images,
            folder=self._folder,
            journal=self._journal,
            control=self._control,
            tracer=pack_tracer(strace, self._info.get("Architecture", "")) if strace else None,
        )
        self._launcher = Launcher(self._place)
        self._closing.callback(self._launcher.close)

    def _make_networks(self, labels: RunLabels) -> Networks:
        plan = self._context.plan
        networks = Networks(self._api, self._warden, labels, plan)
        self._watcher.watch_networks(networks.keys.values())
        networks.check_reach(plan, self._daemon.host)
        return networks

    @property
    def _inputs(self) -> dict[str, Path]:
        return self._launcher.inputs

    def environment(self) -> dict[str, Any]:
        """Return versions of Docker and its machine, and the images by step."""
        info = self._info
        return {
            "docker": {
                "version": info.get("ServerVersion"),
                "api": self._api.api_version,
                "cgroup": info.get("CgroupVersion"),
                "storage": info.get("Driver"),
                "runtime": info.get("DefaultRuntime"),
                "host": info.get("Name"),
                "kernel": info.get("KernelVersion"),
                "cpus": info.get("NCPU"),
                "memory": info.get("MemTotal"),
            },
            "images": {step: image.to_json() for step, image in self._images.items()},
        }

    def fetch(self, inputs: Sequence[InputFile]) -> None:
        """Fetch and verify the inputs, and lay out those that sealed steps share."""
        super().fetch(inputs)
        if any(step.program.isolation == "sealed" for step in self._context.plan.steps):
            self._launcher.share_inputs()

    def _install(self, step: Service | Job) -> tuple[dict[str, str], bool]:
        return Installer(self._place, self._launcher, self._control, self._wait_for).install(step)

    def _wait_for(self, container: Container) -> int:
        """Return the exit status of a container."""
        while not self._wait_change(lambda: container.status is not None, POLL_SECONDS):
            self._check_platform()
            self._control.check()
        return container.status or 0

    def start_service(self, launch: Launch[Service]) -> RunningStep:
        """Start a service, all of its replicas."""
        return self._start(launch)

    def start_job(self, launch: Launch[Job]) -> RunningStep:
        """Start one iteration of a job."""
        return self._start(launch)

    def _start(self, launch: Launch[Service] | Launch[Job]) -> RunningStep:
        self._check_platform()
        running = self._launcher.start(launch)
        self._usage.add(running)
        return running

    def _wait_change(self, condition: Callable[[], bool], seconds: float) -> bool:
        return self._watcher.wait_change(condition, seconds)

    def _check_platform(self) -> None:
        self._warden.check()
        self._watcher.check()

    def wait(self, job: Handle, services: Sequence[Handle]) -> int:
        """Wait for the job's end while the services live."""
        status = super().wait(job, services)
        running = self._own(job)
        self._doubt_memory([running, *map(self._own, services)])
        if running.is_removed:
            raise PlatformError(f"{running.name}: its container was removed by somebody", code="removed", step=job.name)
        if running.is_out_of_memory:
            raise BenchmarkFailed(
                f"{running.name} {running.end().words}", code="oom", step=job.name, log_tail=tail(running.log)
            )
        return status

    def _doubt_memory(self, steps: Sequence[RunningStep]) -> None:
        """Doubt what is measured with a part of a step missing, such as a worker that the kernel killed."""
        for running in steps:
            if running.has_lost_a_part and running not in self._doubted:
                self._doubted.add(running)
                self._journal.doubt(
                    f"{running.name}: a process of it was killed, it ran out of its memory{running.limit}"
                )

    def _ask(self, running: RunningStep, probe: Probe, timeout: float) -> Answer:
        answer = Answer(ok=False, detail="no container")
        for container in running.containers:
            answer = self._ask_container(running, container, probe, timeout)
            if not answer.ok:
                is_refused = answer.detail == "connection refused" and not running.has_answered
                return replace(answer, detail=f"{answer.detail}{_LOOPBACK_HINT}") if is_refused else answer
        running.has_answered = running.has_answered or probe.kind in ASKED_OVER_NETWORK
        return answer

    def _ask_container(self, running: RunningStep, container: Container, probe: Probe, timeout: float) -> Answer:
        address = Address(container.ip, running.address.port)
        if running.step.program.isolation == "sealed" and probe.kind in ASKED_OVER_NETWORK:
            asker = self._launcher.find_asker(running, container)
            return ask_inside(probe, address, asker, lambda c: self._run_argv(container, c, running.name, timeout))
        beside = partial(self._run_in, running, container)
        return ask(probe, address, container.output.path, beside, timeout, running.reader)

    def _run_beside(self, running: RunningStep, command: tuple[str, ...], seconds: float) -> Answer:
        answers = [self._run_in(running, container, command, seconds) for container in running.containers]
        return next((answer for answer in answers if not answer.ok), answers[0])

    def _run_in(self, running: RunningStep, container: Container, command: tuple[str, ...], seconds: float) -> Answer:
        argv = [substitute(word, running.values) for word in command]
        self._launcher.check_command(running, container, argv[0])
        return self._run_argv(container, argv, running.name, seconds)

    def _run_argv(self, container: Container, argv: Sequence[str], step: str, seconds: float) -> Answer:
        with daemon_words("running a command in its container", step=step):
            child = Command(self._daemon, container.id, argv, self._watcher)
        self._wait_patiently(lambda: child.has_ended, seconds)
        if not child.has_ended:
            child.close()
            return Answer(ok=False, detail=f"no answer within {seconds:.3g} s", is_late=True)
        last = child.last_line
        end = "ended, nobody knows how" if child.status is None else describe_status(child.status)
        detail = end + (f": {last}" if last else "")
        return Answer(ok=child.status == 0, detail=detail)

    def _finish(self, running: RunningStep, grace: float) -> None:
        self._usage.remove(running)
        try:
            self._end(running, grace)
            collect(self._daemon, running, self._folder, self._journal, lambda: self._control.is_urgent)
        finally:
            self._remove(running)

    def _end(self, running: RunningStep, grace: float) -> None:
        """SIGTERM; SIGKILL after `grace` seconds."""
        self._signal(running, "SIGTERM")
        self._wait_patiently(lambda: running.is_gone, grace)
        self._signal(running, "SIGKILL")
        self._wait_change(lambda: running.is_gone, KILL_SECONDS)

    def _signal(self, running: RunningStep, name: str) -> None:
        for container in running.containers:
            container.is_ended = True
            if container.exit_code is None:
                # It may have ended meanwhile, or have been removed.
                with daemon_words("stopping it", step=running.name), contextlib.suppress(APIError):
                    self._api.kill(container.id, name)

    def _remove(self, running: RunningStep) -> None:
        for container in running.containers:
            self._watcher.remove(container)
            with daemon_words("removing it", step=running.name), contextlib.suppress(APIError):
                self._api.remove_container(container.id, v=True, force=True)
            container.output.close()

    def survivors(self) -> list[str]:
        """Return containers, and once this is closed the network and volumes too, as the daemon knows them."""
        with daemon_words("looking for what is left"):
            found = list(find(self._daemon, self._folder.run_id))
        return [str(resource) for resource in found if self._is_closed or resource.kind == "container"]

    def created(self) -> int:
        """Return how many containers, networks and volumes were made."""
        networks = len(self._networks.keys) if self._networks else 0
        return self._launcher.created + len(set(self._launcher.volumes.values())) + networks

    def close(self) -> None:
        """Remove everything of the run and end the warden."""
        if self._is_closed:
            return
        self._is_closed = True
        self._closing.close()
