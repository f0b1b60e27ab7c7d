"""A Docker daemon as a platform: each unit is a container, on networks of the run's own."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from windtunnel.backends.archive import INPUTS, ROOT, Content, input_links, packed, packed_inputs
from windtunnel.backends.base import Address, Launch, RunContext
from windtunnel.backends.containers import HOME, METRICS, OUT, PYTHON, WORK, choose_port
from windtunnel.backends.docker.api import DockerApi, map_errors
from windtunnel.backends.docker.config import proxy_variables
from windtunnel.backends.docker.container_fs import ContainerFiles
from windtunnel.backends.docker.container_spec import (
    Surroundings,
    aliases,
    container_name,
    container_spec,
    host_of,
    is_followed,
)
from windtunnel.backends.docker.events import Container, Watcher
from windtunnel.backends.docker.images import find_images
from windtunnel.backends.docker.kept_output import KeptOutput
from windtunnel.backends.docker.networks import Networks
from windtunnel.backends.docker.resource_maker import ResourceMaker
from windtunnel.backends.docker.resources import DockerResources
from windtunnel.backends.docker.run_spec import environment_volume_name, input_volume_name
from windtunnel.backends.docker.streams import Output
from windtunnel.backends.docker.task import ContainerTask
from windtunnel.backends.docker.tracer import pack_tracer
from windtunnel.backends.docker.volumes import Volume, filling
from windtunnel.backends.docker.warden_client import WardenClient
from windtunnel.backends.labels import RunLabels
from windtunnel.backends.pip import interpreter, local_names
from windtunnel.backends.platform import Fetch, Task, Whereabouts
from windtunnel.backends.python_environments import Environments, Interpreter, KeptEnvironment
from windtunnel.backends.tracing import find_strace
from windtunnel.backends.unit import Environment, Site, Unit
from windtunnel.errors import PlatformError
from windtunnel.plan import InputFile, Job, Plan, Program, Service

KILL_SECONDS = 10.0


class DockerPlatform:
    """One run's containers.

    Args:
        context: The run.
        warden: Its warden, which was started and may not stand yet.
        labels: What all of its resources carry.
    """

    kind = "container"
    archive = ".tar"
    latency = 0.1

    def __init__(self, context: RunContext, warden: WardenClient, labels: RunLabels) -> None:
        self._context, self._warden = context, warden
        self._inputs: dict[str, Path] = {}
        self._input_volume: str | None = None
        self._volumes: dict[str, str] = {}
        self._work = context.folder.path / "work"
        self._is_closed = False
        self._closing = contextlib.ExitStack()  # the last that was made is closed first
        self._closing.callback(shutil.rmtree, self._work, ignore_errors=True)
        self._closing.callback(warden.close)
        try:
            self._open(context.plan, labels)
        except BaseException:
            self.close()
            raise

    def _open(self, plan: Plan, labels: RunLabels) -> None:
        strace = find_strace(plan)
        self._api = DockerApi()
        self._maker = ResourceMaker(self._api, self._warden, labels, self._context.journal.note)
        self._env = proxy_variables(self._api.host)
        with map_errors("asking Docker about itself"):
            self._info = dict(self._api.call("GET", "/info"))
            machine = str(self._api.facts["Arch"])
        journal = self._context.journal
        self._images = find_images(self._api, plan, self._context.control, journal.note)
        for step, image in self._images.items():
            if not image.is_native(machine):
                words = f"image {image.name!r} is for {image.architecture}, and Docker's machine is {machine}"
                journal.doubt(f"{step}: {words}: its programs are emulated, or do not run")
        self._warden.wait_ready()
        self._watcher = Watcher(self._api, self._context.notifier, journal.doubt)
        self._closing.callback(self._watcher.close)
        self._networks = Networks(self._api, self._maker, plan)
        self._watcher.watch_networks(self._networks.keys.values())
        self._networks.check_reach(plan, self._api.host)
        self._tracer = pack_tracer(strace, self._info.get("Architecture", "")) if strace else None
        self._files = ContainerFiles(self._api)
        self._work.mkdir(exist_ok=True)
        self._closing.callback(self._close_outputs)

    def _close_outputs(self) -> None:
        for container in self._watcher.containers:
            container.output.close()

    def check(self) -> None:
        """Raise PlatformError if the warden, the daemon or a network of the run is lost."""
        self._warden.check()
        self._watcher.check()

    def share(self, inputs: Sequence[InputFile], fetch: Fetch) -> None:
        """Take in inputs: an open step gets copies, those that are sealed share a volume."""
        for item in inputs:
            self._inputs[item.path], _digest = fetch(item)
        if any(step.program.isolation == "sealed" for step in self._context.plan.steps):
            self._make_input_volume()

    def _make_input_volume(self) -> None:
        name, image = input_volume_name(self._maker.run_id), next(iter(self._images.values())).id
        volume = Volume(name, INPUTS, image, "the inputs' volume", "volume_failed")
        check = self._context.control.check
        with filling(self._api, self._maker, volume) as key, packed_inputs(self._inputs, self._work, check) as archive:
            self._api.put_archive(key, INPUTS, archive)
        self._input_volume = name

    def install(self, step: Service | Job) -> tuple[dict[str, str], bool]:
        """Install a step's Python packages into a volume that it sees read-only."""
        return Environments(self._context).install(self, step)

    def interpreter(self, step: Service | Job) -> contextlib.AbstractContextManager[Interpreter]:
        """Return the interpreter that a step's packages are for, of its image."""
        python = interpreter(step.program)
        return contextlib.nullcontext(Interpreter(python, [python, self._images[step.name].id], self.start))

    def share_environment(self, step: Service | Job, kept: KeptEnvironment) -> None:
        """Put an environment into a volume, one for all steps that have the same."""
        name = environment_volume_name(self._maker.run_id, kept.place.stem)
        if name not in self._volumes.values():
            image = self._images[step.name].id
            volume = Volume(name, PYTHON, image, "its volume", "requirements_failed", step.name)
            with filling(self._api, self._maker, volume) as key, kept.place.open("rb") as archive:
                self._api.put_archive(key, HOME, archive)
        self._volumes[step.name] = name

    def environment_of(self, step: Service | Job) -> Environment | None:
        """Return the Python environment of a step that has one."""
        return Environment(PYTHON, self._images[step.name].env["PATH"]) if step.name in self._volumes else None

    def site(self, launch: Launch[Any]) -> Site:
        """Return a step's address on the run's networks, and its folders in its container."""
        return Site(Address(host_of(launch.step), choose_port(launch.step)), WORK, OUT, METRICS)

    def whereabouts(self, task: Task) -> Whereabouts:
        """Return where a member of a gang is: on the run's network, on the daemon's machine."""
        return Whereabouts(task.address.host, str(self._info.get("Name")))

    def start(self, units: Sequence[Unit]) -> Sequence[Task]:
        """Make the containers of a step, with all their files, and start them."""
        made: list[ContainerTask] = []
        try:
            made.extend(map(self._make, units))
            for task in made:
                self._context.control.check()  # hundreds of replicas take minutes
                with map_errors("starting its container", "container_failed", task.unit.step.name):
                    task.begin(self._networks_of(task.unit)[0])
        except BaseException:
            for task in made:
                with contextlib.suppress(PlatformError):
                    task.remove()
            raise
        return made

    def _make(self, unit: Unit) -> ContainerTask:
        """Return a unit's container with all its files, whose output is listened to."""
        step, image, files = unit.step.name, self._images[unit.step.name], self._files
        is_shell = files.may_use_shell(image, unit.env)
        key = self._create(unit, is_shell=is_shell)
        with map_errors("preparing its container", step=step):
            if is_shell and not files.has_shell(key, image):
                self._maker.take_back(key)
                key = self._create(unit, is_shell=False)
            files.check_room(key, image, step)
            self._fill(key, unit, files.owner(key, image))
            output = self._output(unit, key)
        container = Container(key, container_name(self._maker.run_id, unit), step, output)
        self._watcher.add(container)
        task = ContainerTask(unit, output.path, container, image, self._context, self._api, files, self._watcher.remove)
        task.check_command(unit.argv[0])
        return task

    def _output(self, unit: Unit, key: str) -> Output | KeptOutput:
        log = unit.log(self._context.folder)
        return (
            Output(self._api, key, log, self._context.notifier)
            if is_followed(unit)
            else KeptOutput(self._api, key, log)
        )

    def _create(self, unit: Unit, *, is_shell: bool) -> str:
        step = unit.step.name
        around = Surroundings(
            image=self._images[step].id,
            networks=self._networks_of(unit),
            version=self._api.version,
            env=self._env,
            python=self._volumes.get(step),
            inputs=self._input_volume,
            tracer=self._tracer.command if self._tracer else (),
            is_shell=is_shell,
        )
        name = container_name(self._maker.run_id, unit)
        what, code = "making its container", "container_failed"
        key = self._maker.make_container(name, container_spec(unit, around), what, code, step)
        with map_errors(what, code, step):
            self._networks.connect(key, around.networks[1:], aliases(unit))
        return key

    def _networks_of(self, unit: Unit) -> list[str]:
        """Return the names of the networks that a unit is on; on the first one it is asked."""
        if unit.installs:
            # Out, whatever its step may reach; to an index on this machine by the machine's own.
            return ["host" if local_names(unit.env) else "bridge"]
        return self._networks.of(unit.program)

    def _fill(self, key: str, unit: Unit, owner: tuple[int, int]) -> None:
        """Put a unit's folders and files into its container."""
        program: Program = unit.program
        is_sealed = program.isolation == "sealed"
        inputs = {} if unit.installs else self._inputs
        root = HOME if is_sealed else ROOT
        content = Content(
            owner=owner,
            files=unit.files,
            inputs={} if is_sealed else inputs,
            links=input_links(inputs) if is_sealed else {},
            tools=self._tracer.files if self._tracer and program.trace else {},
        )
        with packed(content, self._work, root, self._context.control.check) as archive:
            self._api.put_archive(key, root, archive)

    def stop(self, tasks: Sequence[Task], grace: float) -> None:
        """SIGTERM; SIGKILL after `grace` seconds."""
        notifier = self._context.notifier
        own = [task for task in tasks if isinstance(task, ContainerTask)]

        def are_gone() -> bool:
            return all(task.container.status is not None for task in own)

        for task in own:
            task.signal("SIGTERM")
        notifier.wait_for_grace(are_gone, grace)
        for task in own:
            task.signal("SIGKILL")
        notifier.wait(are_gone, KILL_SECONDS)

    def facts(self) -> dict[str, Any]:
        """Return versions of Docker and its machine, and the images by step."""
        info = self._info
        return {
            "docker": {
                "version": info.get("ServerVersion"),
                "api": self._api.facts["ApiVersion"],
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

    def left(self) -> list[str]:
        """Return containers, and once this is closed the networks and volumes too, as the daemon knows them."""
        found = DockerResources(self._api).find(self._maker.run_id)
        return [str(resource) for resource in found if self._is_closed or resource.kind == "container"]

    def created(self) -> int:
        """Return how many containers, networks and volumes were made."""
        return self._maker.created

    def close(self) -> None:
        """Remove everything of the run and end the warden."""
        if not self._is_closed:
            self._is_closed = True
            self._closing.close()
