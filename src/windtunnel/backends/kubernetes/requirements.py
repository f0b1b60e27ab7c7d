"""Python packages of steps on a cluster: pip's pod stands by until it is known whether it is needed."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from windtunnel.backends.agent.places import ARGUMENTS, input_file
from windtunnel.backends.kubernetes.cluster_facts import Facts
from windtunnel.backends.kubernetes.manifests import script, script_environment
from windtunnel.backends.kubernetes.run_resources import RunResources
from windtunnel.backends.kubernetes.task import PodTask
from windtunnel.backends.pip import failed, interpreter, local_names
from windtunnel.backends.platform import Platform
from windtunnel.backends.python_environments import Environments, Interpreter, KeptEnvironment, RunsPip, pip_job
from windtunnel.backends.unit import Unit
from windtunnel.plan import Job, Service


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
class Requirements:
    """The Python packages of a run's steps.

    Attributes:
        resources: What the run has.
        facts: Knows nodes.
        environments: The Python environment of each step that has one, by the step's name.
    """

    resources: RunResources
    facts: Facts
    environments: dict[str, PackedEnvironment] = field(default_factory=dict)
    _built_for: dict[str, str | None] = field(default_factory=dict)
    _done: dict[tuple[object, ...], tuple[PackedEnvironment, dict[str, str]]] = field(default_factory=dict)

    def install(self, platform: RunsPip, step: Service | Job) -> tuple[dict[str, str], bool]:
        """Return the packages of a step's environment, by name, and whether they were there already.

        Raises:
            PlatformError: There is no Python or no pip, or pip failed (``requirements_failed``); or its pod did.
            TimedOut, Cancelled: As the run's control says.
        """
        program = step.program
        same = program.image, interpreter(program), program.requirements, tuple(sorted(program.node_selector.items()))
        is_kept = same in self._done
        if not is_kept:
            packages, is_kept = Environments(self.resources.context).install(platform, step)
            self._done[same] = self.environments[step.name], packages
        self.environments[step.name], packages = self._done[same]
        return packages, is_kept

    def interpreter(self, task: PodTask) -> Interpreter:
        """Return the interpreter of a pod that stands by, which tells what image it is."""
        view, step = task.view, task.unit.step
        python = task.unit.argv[0]
        image = str(view.container(task.container).get("imageID") or step.program.image)
        self._built_for[step.name] = built_for = self.facts.architecture(view.node or "")
        return Interpreter(python, [python, image, str(built_for)], partial(self._start, task))

    def _start(self, task: PodTask, units: Sequence[Unit]) -> Sequence[PodTask]:
        """Have a pod that stands by run a unit. Its settings may have a password: no object of the cluster has them."""
        (unit,) = units
        if names := local_names(unit.env):
            reason = f"{', '.join(names)}: a server on this machine, which pods cannot reach; name one that they can"
            raise failed(unit.step, f"{reason}, or put the packages into the image")
        text = json.dumps({"argv": unit.argv, "env": unit.env, "files": unit.files}).encode()
        path = str(input_file(unit.label))
        self.resources.agent.send_file(path, io.BytesIO(text), len(text), self.resources.check)
        return [task]

    def share(self, step: Service | Job, kept: KeptEnvironment) -> None:
        """Hand an environment to the hub, which hands it to the pods of a step."""
        environment = PackedEnvironment(f"{step.name}-requirements", kept.path, self._built_for[step.name])
        self.resources.agent.send_input(environment.name, kept.place, self.resources.check)
        self.environments[step.name] = environment


def standby_unit(platform: Platform, step: Service | Job) -> Unit:
    """Return the unit of pip before it is known what that has to do."""
    job, site = pip_job(platform, step)
    argv = (interpreter(step.program), *script("kubernetes.pod.standby", f"@{ARGUMENTS / step.name}")[1:])
    return Unit(job, None, 1, site, argv, script_environment(), installs=True)
