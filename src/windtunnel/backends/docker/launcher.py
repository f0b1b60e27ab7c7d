"""Starting steps: what a container is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from windtunnel.backends.archive import ROOT, Content, input_links, packed
from windtunnel.backends.base import Address, Launch
from windtunnel.backends.containers import HOME, METRICS, OUT, PYTHON, RESULTS, WORK, choose_port, python_variables
from windtunnel.backends.docker.calls import APIClient, daemon_words
from windtunnel.backends.docker.events import Watcher
from windtunnel.backends.docker.images import Image
from windtunnel.backends.docker.inside import Inside
from windtunnel.backends.docker.networks import Networks
from windtunnel.backends.docker.sealing import host_options, volumes
from windtunnel.backends.docker.shared import SharedInputs
from windtunnel.backends.docker.step import Container, RunningStep
from windtunnel.backends.docker.streams import Output
from windtunnel.backends.docker.tracer import Tracer
from windtunnel.backends.docker.warden import Daemon
from windtunnel.backends.docker.warden_client import WardenClient
from windtunnel.backends.labels import RunLabels
from windtunnel.backends.requirements import with_environment
from windtunnel.backends.tracing import RAW, traced_command
from windtunnel.plan import Job, Program, Service
from windtunnel.run.control import Control
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import Journal
from windtunnel.substitution import substitute

_SHELL = ("/bin/sh", "-c", 'exec "$0" "$@" 2>&1')
"""Makes one stream of both, in the order in which they are written: Docker reads two side by side."""
_NANO = 1e9


@dataclass(frozen=True)
class Place:
    """Where a run's containers are made.

    Attributes:
        api: The daemon, through the SDK.
        daemon: The daemon, for streams.
        warden: Told before anything is made.
        watcher: Told of each container before it is started.
        networks: The run's networks.
        labels: What everything carries.
        images: The image of each step, by the step's name.
        folder: The run's folder.
        journal: Told what the daemon warns of.
        control: Asked while files are put into containers.
        tracer: What records system calls, if a step wants that.
    """

    api: APIClient
    daemon: Daemon
    warden: WardenClient
    watcher: Watcher
    networks: Networks
    labels: RunLabels
    images: Mapping[str, Image]
    folder: RunFolder
    journal: Journal
    control: Control
    tracer: Tracer | None


class Launcher:
    """Starts the steps of one run.

    Attributes:
        inputs: Fetched inputs by the path at which each step finds them.
        volumes: The volume with the Python environment of each step that has one, by the step's name.
        inside: Looks into containers.
    """

    def __init__(self, place: Place) -> None:
        self.inputs: dict[str, Path] = {}
        self.volumes: dict[str, str] = {}
        self._shared: SharedInputs | None = None
        self._made: list[Container] = []
        self._warned: set[str] = set()
        self._place = place
        self.inside = Inside(place.api, place.daemon)
        self._work = place.folder.path / "work"
        self._work.mkdir(exist_ok=True)

    @property
    def created(self) -> int:
        """How many containers and volumes were made."""
        return len(self._made) + (self._shared.created if self._shared else 0)

    def share_inputs(self) -> None:
        """Lay out the inputs where sealed steps can read them and not write."""
        place = self._place
        self._shared = SharedInputs(place.api, place.warden, place.labels)
        self._shared.fill(self.inputs, next(iter(place.images.values())).id, self._work, place.control.check)

    def start(self, launch: Launch[Service] | Launch[Job]) -> RunningStep:
        """Make a step's containers, put its files into them, and start its command.

        Raises:
            PlatformError: The daemon refuses, or the command does not exist or cannot be run.
        """
        step, label = launch.step, launch.label
        address = Address(step.name, choose_port(step))
        values = launch.names(address, WORK, OUT, METRICS)
        env = {**values, **{name: substitute(text, values) for name, text in step.program.env.items()}}
        if step.name in self.volumes:
            path = env.get("PATH", self._place.images[step.name].env["PATH"])
            env |= python_variables(path)
        running = RunningStep(
            step=step,
            label=label,
            iteration=launch.iteration,
            address=address,
            log=self._place.folder.log(step.name, launch.iteration),
            metrics=self._place.folder.path / "logs" / f"{label}.metrics.jsonl",
            env=env,
            values=values,
            containers=[],
            memory=_memory(step.program),
        )
        replicas = step.replicas if isinstance(step, Service) else 1
        for number in range(1, replicas + 1):
            running.containers.append(self._make(running, launch.iteration, number))
        for container in running.containers:
            self._start(running, container)
        return running

    def close(self) -> None:
        """Stop listening to what is left; it was removed."""
        for container in self._made:
            container.output.close()

    def check_command(self, running: RunningStep, container: Container, program: str) -> None:
        """Check that a command can be run beside a step (PlatformError if not)."""
        image = self._place.images[running.name]
        path = running.env.get("PATH", image.env["PATH"])
        self.inside.check_command(container.id, image, program, path, running.name)

    def find_asker(self, running: RunningStep, container: Container) -> str:
        """Return a program of a step's image that can ask over the network (PlatformError if it has none)."""
        return self.inside.find_asker(container.id, self._place.images[running.name], running.name)

    def _make(self, running: RunningStep, iteration: int | None, number: int) -> Container:
        """Return one replica of a step: a container with all its files, whose output is listened to."""
        name, step, image = running.name, running.step, self._place.images[running.name]
        command = [substitute(word, running.values) for word in step.program.command]
        command = with_environment(command, PYTHON) if name in self.volumes else command
        argv = self._traced(command) if step.program.trace else command
        title = f"{self._place.folder.run_id}-{running.label}"
        log = running.log
        if number > 1:
            # No step's name has a point in it.
            title += f".replica-{number}"
            log = self._place.folder.log(f"{name}.replica-{number}", iteration)
        key = self._create(running, title, argv, is_shell=self.inside.may_use_shell(image, running.env))
        files = {path: substitute(text, running.values) for path, text in step.program.files.items()}
        with daemon_words("preparing its container", step=name):
            if not self.inside.has_shell(key, image):
                self._place.api.remove_container(key, v=True, force=True)
                key = self._create(running, title, argv, is_shell=False)
            self.inside.check_room(key, image, name)
            self._fill(key, step.program, self.inside.owner(key, image), files)
            container = Container(key, title, name, Output(self._place.daemon, key, log, self._place.watcher))
        self._made.append(container)
        self._place.watcher.add(container)
        self.check_command(running, container, command[0])
        return container

    def _traced(self, command: list[str]) -> list[str]:
        tracer = self._place.tracer
        return traced_command(tracer.command, RESULTS / RAW, command) if tracer else command

    def _fill(self, key: str, program: Program, owner: tuple[int, int], files: Mapping[str, str]) -> None:
        """Put a step's folders and files into its container."""
        is_sealed = program.isolation == "sealed"
        root = HOME if is_sealed else ROOT
        content = Content(
            owner=owner,
            files=files,
            inputs={} if is_sealed else self.inputs,
            links=input_links(self.inputs) if is_sealed else {},
            tools=self._place.tracer.files if self._place.tracer and program.trace else {},
        )
        with packed(content, self._work, root, self._place.control.check) as archive:
            self._place.api.put_archive(key, str(root), archive)

    def _create(self, running: RunningStep, title: str, argv: list[str], *, is_shell: bool) -> str:
        place, program = self._place, running.step.program
        volume = self.volumes.get(running.name)
        network, *others = place.networks.of(program)
        host = place.api.create_host_config(
            network_mode=network,
            # Reaps orphans and hands signals on: without, a command would be process 1, which no SIGTERM ends.
            init=True,
            binds={volume: {"bind": str(PYTHON), "mode": "ro"}} if volume else None,
            # The output is in the run's folder; the daemon need not keep it a second time.
            log_config={"Type": "none"},
            nano_cpus=round(program.cpu * _NANO) if program.cpu else None,
            mem_limit=running.memory,
            memswap_limit=running.memory,
            **host_options(program, place.api.api_version, self._shared.volume if self._shared else None),
        )
        with place.warden.creating(title), daemon_words("making its container", "container_failed", running.name):
            made = place.api.create_container(
                place.images[running.name].id,
                name=title,
                entrypoint=list(_SHELL) if is_shell else argv,
                command=argv if is_shell else [],
                environment=dict(running.env),
                working_dir=str(WORK),
                labels=dict(place.labels.to_json(running.name)),
                # The image's own check would run beside what is measured; readiness is asked by the benchmark's.
                healthcheck={"test": ["NONE"]},
                host_config=host,
                volumes=volumes(program),
                networking_config=place.api.create_networking_config(
                    {network: place.api.create_endpoint_config(aliases=[running.name])}
                ),
            )
            for other in others:
                place.api.connect_container_to_network(made["Id"], other, aliases=[running.name])
        for warning in set(made.get("Warnings") or ()) - self._warned:
            self._warned.add(warning)
            place.journal.note(f"Docker warns: {warning}", running.name)
        return str(made["Id"])

    def _start(self, running: RunningStep, container: Container) -> None:
        with daemon_words("starting its container", "container_failed", running.name):
            self._place.api.start(container.id)
            facts = self._place.api.inspect_container(container.id)
        network = self._place.networks.of(running.step.program)[0]
        container.ip = facts["NetworkSettings"]["Networks"][network]["IPAddress"]
        container.pid = facts["State"]["Pid"]


def _memory(program: Program) -> int | None:
    return round(program.memory) if program.memory else None
