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

from windtunnel.backends.agent.places import INSTALLED, PATH_FILE
from windtunnel.backends.base import Address
from windtunnel.backends.containers import METRICS, OUT, PYTHON
from windtunnel.backends.kubernetes.agent import Agent
from windtunnel.backends.kubernetes.calls import cluster_words
from windtunnel.backends.kubernetes.facts import Facts
from windtunnel.backends.kubernetes.launcher import Launcher
from windtunnel.backends.kubernetes.objects import Manifest, script, script_environment, script_mount
from windtunnel.backends.kubernetes.place import Environment, Place
from windtunnel.backends.kubernetes.placing import Placing
from windtunnel.backends.kubernetes.results import Results
from windtunnel.backends.kubernetes.spec import COLLECT_SECONDS, Container, Surroundings, pod
from windtunnel.backends.kubernetes.starting import Starting
from windtunnel.backends.kubernetes.step import Replica, RunningStep
from windtunnel.backends.kubernetes.troubles import Troubles
from windtunnel.backends.requirements import (
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
from windtunnel.errors import PlatformError
from windtunnel.plan import Job, Program, Service
from windtunnel.run.cache import atomic_write
from windtunnel.run.control import POLL_SECONDS, Control

GRACE_SECONDS = 120
"""How long a collector may send what was installed."""
_GONE_SECONDS = 30.0
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


@dataclass
class Installer:
    """Installs what steps need, in pods of their images.

    Attributes:
        place: Where the run's objects are made.
        launcher: Makes them, and is told which environment a step gets.
        agent: Hands files to the hub.
        results: Takes what pods wrote.
        facts: Knows nodes.
        control: Asked while another run installs the same.
        check: Raises what ends the run.
    """

    place: Place
    launcher: Launcher
    agent: Agent
    results: Results
    facts: Facts
    control: Control
    check: Callable[[], None]
    _done: dict[tuple[object, ...], tuple[Environment, dict[str, str]]] = field(default_factory=dict)

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
            with self._pod(step) as running:
                view = running.replicas[0].view
                image = str(view.container(step.name).get("imageID") or program.image)
                built_for = self.facts.architecture(view.node or "")
                with kept(key_of(program, [interpreter(program), image, str(built_for)]), self.control) as file:
                    found = Kept(file.with_suffix(".tar.gz"), file.with_suffix(".json"))
                    is_kept = found.is_there
                    if not is_kept:
                        self._install(step, running, found)
                    told = json.loads(found.told.read_text(encoding="utf-8"))
                    environment = Environment(_title(step), told["path"], built_for)
                    self.agent.send_input(environment.name, found.archive, self.check)
            self._done[same] = environment, told["packages"]
        self.launcher.environments[step.name], packages = self._done[same]
        return packages, is_kept

    @contextmanager
    def _pod(self, step: Service | Job) -> Iterator[RunningStep]:
        """Lend a pod of a step's image that waits for its task; it is gone when this ends well."""
        running = self._make(step)
        name = running.replicas[0].pod
        starting = Starting(self.place.watcher, Troubles(self.place.cluster), self.check, self._follow)
        try:
            try:
                starting.wait(running, [])
            except PlatformError as error:
                if error.code not in _NO_COMMAND:
                    raise
                raise failed(step, error.message.removeprefix(f"{step.name}: ")) from None
            yield running
        finally:
            with cluster_words("deleting pip's pod", step.name):
                self.place.cluster.delete("Pod", name, 1)
            if output := running.replicas[0].output:
                output.close()
        # The step's own pods have its labels, too: what selects them is not to find this one.
        self._wait(lambda: self.place.watcher.view(name).is_removed)

    def _make(self, step: Service | Job) -> RunningStep:
        place = self.place
        name = f"{place.naming.name(step.name)}-python"
        argv = script("kubernetes.pod.installer", *place.input(f"{_title(step)}-task"))
        container = Container(
            step.name, _open(step.program), [interpreter(step.program), *argv[1:]], script_environment()
        )
        around = Surroundings(place.runner, place.collect(name), GRACE_SECONDS)
        manifest = pod(place.naming, name, [container], Placing(), around)
        _add_folders(manifest)
        self.launcher.create(manifest, "pip's pod", step.name)
        return RunningStep(
            step=step,
            label=_title(step),
            address=Address(name, None),
            log=place.folder.path / "work" / f"{step.name}.requirements.log",
            metrics=place.folder.path / "work" / METRICS.name,
            env={},
            values={},
            replicas=[Replica(name, step.name, lambda: place.watcher.view(name))],
        )

    def _follow(self, running: RunningStep) -> None:
        (replica,) = running.replicas
        if replica.output is None and replica.has_started:
            running.log.parent.mkdir(exist_ok=True)
            replica.follow(self.place.cluster, running.log, self.place.watcher)

    def _install(self, step: Service | Job, running: RunningStep, found: Kept) -> None:
        """Have pip do it, and keep what it made."""
        settings = pip_settings()
        if names := local_names(settings):
            reason = f"{', '.join(names)}: a server on this machine, which pods cannot reach; name one that they can"
            raise failed(step, f"{reason}, or put the packages into the image")
        settings, certificates = elsewhere(settings)
        task = {
            "requirements": step.program.requirements,
            "settings": settings,
            "certificates": certificates.decode("ascii", errors="replace"),
        }
        file = self.place.folder.path / "work" / f"{_title(step)}-task"
        file.parent.mkdir(exist_ok=True)
        try:
            file.write_text(json.dumps(task), encoding="utf-8")
            self.agent.send_input(file.name, file, self.check)
        finally:
            file.unlink(missing_ok=True)
        self._wait(lambda: running.is_gone, None)
        if running.status is None:
            raise failed(step, f"pip's pod {running.end().words}")
        tell(step, running.log, self.place.folder.log(f"{step.name}.requirements"), running.status)
        source = self.results.fetch(running.replicas[0].pod, step.name, COLLECT_SECONDS, self.check)
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
        while not self.place.watcher.wait_change(condition, POLL_SECONDS) and time.monotonic() < deadline:
            self.check()


def _title(step: Service | Job) -> str:
    return f"{step.name}-requirements"


def _open(program: Program) -> Program:
    """Return a program as pip's pod has it: in its place and of its image, but neither sealed nor limited."""
    return replace(program, isolation="open", files={}, cpu=None, memory=None, gpu=None)


def _add_folders(manifest: Manifest) -> None:
    """Give pip's container our programs, and a place for what it installs."""
    container = manifest["spec"]["containers"][0]
    container["volumeMounts"] += [script_mount(), {"name": "python", "mountPath": str(PYTHON)}]
    container["resources"] = {"requests": {"cpu": "10m", "memory": "32Mi"}}
    manifest["spec"]["volumes"].append({"name": "python", "emptyDir": {}})
