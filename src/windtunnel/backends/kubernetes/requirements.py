"""A step's Python packages on a cluster: installed in a pod of the step's image, kept in the user's cache."""

from __future__ import annotations

import json
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from windtunnel.backends.agent.places import ARGUMENTS, INSTALLED, PATH_FILE
from windtunnel.backends.base import Address, describe_status
from windtunnel.backends.containers import METRICS, OUT, PYTHON, WORK
from windtunnel.backends.kubernetes.affinity import Placing
from windtunnel.backends.kubernetes.api import map_errors
from windtunnel.backends.kubernetes.cluster_facts import Facts
from windtunnel.backends.kubernetes.container_spec import ContainerSpec
from windtunnel.backends.kubernetes.manifests import (
    Manifest,
    arguments,
    arguments_name,
    script,
    script_environment,
    script_mount,
)
from windtunnel.backends.kubernetes.pod_maker import DRIVER_PODS
from windtunnel.backends.kubernetes.pod_spec import ARGUMENTS_MOUNT, COLLECT_SECONDS, Companions, pod
from windtunnel.backends.kubernetes.pod_startup import Startup
from windtunnel.backends.kubernetes.pods import COLLECTOR
from windtunnel.backends.kubernetes.run_resources import RunResources
from windtunnel.backends.kubernetes.task import PodTask
from windtunnel.backends.pip import (
    PACKAGES,
    elsewhere,
    failed,
    interpreter,
    kept,
    key_of,
    local_names,
    pip_settings,
    tell,
)
from windtunnel.backends.unit import Site, Unit
from windtunnel.errors import PlatformError
from windtunnel.plan import Job, Program, Service
from windtunnel.run.cache import atomic_write
from windtunnel.run.control import POLL_SECONDS

GRACE_SECONDS = 120
"""How long a collector may send what was installed."""
_GONE_SECONDS = 30.0
_INSTALLER = "installer"
_NO_COMMAND = {"command_not_found", "command_not_runnable"}


@dataclass(frozen=True)
class Kept:
    """What an environment is kept as: its archive, and a file that tells of it, which is written last."""

    archive: Path
    told: Path

    @property
    def is_there(self) -> bool:
        """Whether the environment and what pip told of it are kept."""
        return self.told.is_file() and self.archive.is_file()


@dataclass(frozen=True)
class PackedEnvironment:
    """A step's Python packages, as the hub has them.

    Attributes:
        name: How the hub calls their archive.
        path: The ``PATH`` of the step's image.
        architecture: What they were built for, if that is known.
    """

    name: str
    path: str
    architecture: str | None


@dataclass
class Installer:
    """Installs what steps need, in pods of their images.

    Attributes:
        resources: What the run has.
        facts: Knows nodes.
        environments: The Python environment of each step that has one, by the step's name.
    """

    resources: RunResources
    facts: Facts
    environments: dict[str, PackedEnvironment] = field(default_factory=dict)
    _done: dict[tuple[object, ...], tuple[PackedEnvironment, dict[str, str]]] = field(default_factory=dict)

    def install(self, step: Service | Job) -> tuple[dict[str, str], bool]:
        """Return the packages of a step's environment, by name, and whether they were there already.

        Raises:
            PlatformError: The image has no Python or no pip, or pip failed (``requirements_failed``); or its pod did.
            TimedOut, Cancelled: As the control says.
        """
        program = step.program
        nodes = tuple(sorted(program.node_selector.items()))
        same = program.image, interpreter(program), program.requirements, nodes
        is_kept = same in self._done
        if not is_kept:
            with self._pod(step) as task:
                view = task.view
                image = str(view.container(step.name).get("imageID") or program.image)
                built_for = self.facts.architecture(view.node or "")
                control = self.resources.context.control
                with kept(key_of(program, [interpreter(program), image, str(built_for)]), control) as file:
                    found = Kept(file.with_suffix(".tar.gz"), file.with_suffix(".json"))
                    is_kept = found.is_there
                    if not is_kept:
                        self._install(step, task, found)
                    told = json.loads(found.told.read_text(encoding="utf-8"))
                    environment = PackedEnvironment(_title(step), told["path"], built_for)
                    self.resources.agent.send_input(environment.name, found.archive, self.resources.check)
            self._done[same] = environment, told["packages"]
        self.environments[step.name], packages = self._done[same]
        return packages, is_kept

    @contextmanager
    def _pod(self, step: Service | Job) -> Iterator[PodTask]:
        """Lend a pod of a step's image that waits for its task; it is gone when this ends well."""
        task = self._make(step)
        try:
            try:
                Startup(self.resources).wait([task])
            except PlatformError as error:
                if error.code not in _NO_COMMAND:
                    raise
                raise failed(step, error.message.removeprefix(f"{step.name}: ")) from None
            yield task
        finally:
            with map_errors("deleting pip's pod", step.name):
                self.resources.cluster.delete("Pod", task.pod, 1)
                self.resources.cluster.delete("Secret", arguments_name(task.pod))
            if task.output:
                task.output.close()
        # The step's own pods have its labels, too: what selects them is not to find this one.
        self._wait(lambda: task.view.is_removed)

    def _make(self, step: Service | Job) -> PodTask:
        resources = self.resources
        work = resources.context.folder.path / "work"
        work.mkdir(exist_ok=True)
        name = f"{resources.naming.name(step.name)}-python"
        argv = (interpreter(step.program), *script("kubernetes.pod.installer", f"@{ARGUMENTS / _INSTALLER}")[1:])
        container = ContainerSpec(step.name, _open(step.program), argv, script_environment())
        manifest = pod(resources.naming, name, [container], Placing(), Companions(resources.runner, GRACE_SECONDS))
        _add_folders(manifest)
        words = {COLLECTOR: resources.collect(name), _INSTALLER: resources.input(f"{_title(step)}-task")}
        resources.create(arguments(resources.naming, name, step.name, words), "what pip's pod has to know", step.name)
        resources.create(manifest, "pip's pod", step.name)
        task = PodTask(
            unit=Unit(step, None, 1, Site(Address(name, None), WORK, OUT, METRICS), argv),
            log=work / f"{step.name}.requirements.log",
            pod=name,
            container=step.name,
            resources=resources,
            maker=DRIVER_PODS,
        )
        task.listen()
        return task

    def _install(self, step: Service | Job, task: PodTask, found: Kept) -> None:
        """Have pip do it, and keep what it made."""
        settings = pip_settings()
        if names := local_names(settings):
            reason = f"{', '.join(names)}: a server on this machine, which pods cannot reach; name one that they can"
            raise failed(step, f"{reason}, or put the packages into the image")
        settings, certificates = elsewhere(settings)
        asked = {
            "requirements": step.program.requirements,
            "settings": settings,
            "certificates": certificates.decode("ascii", errors="replace"),
        }
        resources = self.resources
        folder = resources.context.folder
        file = folder.path / "work" / f"{_title(step)}-task"
        try:
            file.write_text(json.dumps(asked), encoding="utf-8")
            resources.agent.send_input(file.name, file, resources.check)
        finally:
            file.unlink(missing_ok=True)
        self._wait(lambda: task.is_over, None)
        state = task.state
        if state.status is None:
            raise failed(step, f"pip's pod {state.words or describe_status(0)}")
        tell(step, task.log, folder.log(f"{step.name}.requirements"), state.status)
        source = resources.results.fetch(task.pod, step.name, COLLECT_SECONDS, resources.check)
        if source is None:
            raise failed(step, "what was installed did not come: its collector could not send it")
        self._keep(source / step.name / OUT.name, found)

    def _keep(self, source: Path, found: Kept) -> None:
        """Put what was installed into the cache, where it is whole or not there."""
        with tarfile.open(source / INSTALLED) as content:
            file = content.extractfile(f"{PYTHON.name}/{PACKAGES}")
            packages = json.load(file) if file else {}
        with atomic_write(found.archive) as partial:
            shutil.move(source / INSTALLED, partial)
        with atomic_write(found.told) as partial:
            path = (source / PATH_FILE).read_text(encoding="utf-8")
            partial.write_text(json.dumps({"packages": packages, "path": path}), encoding="utf-8")

    def _wait(self, condition: Callable[[], bool], seconds: float | None = _GONE_SECONDS) -> None:
        """Wait until something holds, or so long at most; the run's end is raised."""
        deadline = time.monotonic() + (float("inf") if seconds is None else seconds)
        notifier = self.resources.watcher.notifier
        while not notifier.wait(condition, POLL_SECONDS) and time.monotonic() < deadline:
            self.resources.check()


def _title(step: Service | Job) -> str:
    return f"{step.name}-requirements"


def _open(program: Program) -> Program:
    """Return a program as pip's pod has it: in its place and of its image, but neither sealed nor limited."""
    return replace(program, isolation="open", files={}, cpu=None, memory=None, gpu=None)


def _add_folders(manifest: Manifest) -> None:
    """Give pip's container our programs, and a place for what it installs."""
    container = manifest["spec"]["containers"][0]
    container["volumeMounts"] += [script_mount(), ARGUMENTS_MOUNT, {"name": "python", "mountPath": str(PYTHON)}]
    container["resources"] = {"requests": {"cpu": "10m", "memory": "32Mi"}}
    manifest["spec"]["volumes"].append({"name": "python", "emptyDir": {}})
