"""A namespace of a cluster as a platform: each unit is a container of a pod, and a warden's Job owns all pods."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from windtunnel.backends.base import Address, Launch, RunContext
from windtunnel.backends.containers import PYTHON
from windtunnel.backends.kubernetes.agent import Agent
from windtunnel.backends.kubernetes.api import API_LOST, Cluster, map_errors
from windtunnel.backends.kubernetes.cluster_facts import Facts
from windtunnel.backends.kubernetes.container_spec import site_of
from windtunnel.backends.kubernetes.diagnosis import check_own
from windtunnel.backends.kubernetes.manifests import WardenSpec, script
from windtunnel.backends.kubernetes.naming import WARDEN, Naming
from windtunnel.backends.kubernetes.outage import Patience
from windtunnel.backends.kubernetes.pod_launcher import Launcher, PodGroup
from windtunnel.backends.kubernetes.pod_maker import PodMaker
from windtunnel.backends.kubernetes.pod_shutdown import Shutdown
from windtunnel.backends.kubernetes.pod_startup import Startup, how_many_fit
from windtunnel.backends.kubernetes.requirements import Requirements, standby_unit
from windtunnel.backends.kubernetes.results import Results
from windtunnel.backends.kubernetes.run_resources import RunResources
from windtunnel.backends.kubernetes.scheduling import Scheduling
from windtunnel.backends.kubernetes.sealing import any_sealed, policy
from windtunnel.backends.kubernetes.settings import lease_seconds, runner_image
from windtunnel.backends.kubernetes.usage import UsageReader
from windtunnel.backends.kubernetes.warden import Warden
from windtunnel.backends.kubernetes.watcher import Watcher
from windtunnel.backends.labels import RunLabels
from windtunnel.backends.network_probe import Answer
from windtunnel.backends.platform import Fetch, NotAgainError, Task, Whereabouts
from windtunnel.backends.python_environments import Interpreter, KeptEnvironment
from windtunnel.backends.unit import Environment, Site, Unit
from windtunnel.errors import PlatformError
from windtunnel.plan import InputFile, Job, Service

STANDBY_SECONDS = 3.0
"""How long a program that stands by may take to end, which it does at once."""
WARDEN_SECONDS = 1.0
"""How much later than of a run's other objects one may hear of its warden, when that takes them with it."""


class KubernetesPlatform:
    """One run's objects in a cluster, all of them owned by its warden.

    Args:
        context: The run.
        cluster: Where.
        labels: What all of its objects carry.
        seconds: When its warden ends everything at the latest, from now on.
        job_pods: Makes the pods of jobs.
    """

    kind = "pod"
    archive = ".tgz"  # it is sent in each run
    latency = 3.0
    """The kubelet looks once a second; and a client's node may tell of its end before the server's does."""

    def __init__(
        self,
        context: RunContext,
        cluster: Cluster,
        labels: RunLabels,
        seconds: float,
        job_pods: PodMaker,
    ) -> None:
        self._context, self._plan = context, context.plan
        self._cluster = cluster = replace(cluster, patience=Patience(lambda: context.control.is_urgent))
        self._is_closed = False
        self._closing = contextlib.ExitStack()  # the last that was made is closed first
        self._closing.callback(cluster.api.close)
        self._closing.callback(shutil.rmtree, context.folder.path / "work", ignore_errors=True)
        (context.folder.path / "work").mkdir(exist_ok=True)
        naming = Naming.of(labels, owner=job_pods.owner)
        self._job_pods = job_pods
        self._watcher = Watcher(context.notifier, cluster, naming.selector)
        self._closing.callback(self._watcher.close)
        self._facts = Facts(cluster)
        self._live: dict[str, PodGroup] = {}
        self._awaited: set[str] = set()
        try:
            self._begin(naming, seconds)
        except BaseException:
            self.close()
            raise

    def _begin(self, naming: Naming, seconds: float) -> None:
        cluster, context = self._cluster, self._context
        spec = WardenSpec(runner_image(), seconds, lease_seconds(), last_calls=self._job_pods.last_calls)
        self._warden = Warden(cluster, naming, spec, self._watcher)
        self._closing.callback(self._warden.close)
        self._agent = Agent(
            cluster, lambda: self._warden.await_pod(self._check_run), script("agent.request_handlers"), WARDEN
        )
        self._closing.callback(self._agent.close)
        self._usage = UsageReader(self._agent, context.journal)
        self._resources = resources = RunResources(
            context=context,
            cluster=cluster,
            naming=self._warden.naming,
            key=self._warden.key,
            runner=spec.image,
            watcher=self._watcher,
            agent=self._agent,
            results=Results(self._agent, context.folder, context.journal),
            check=self._check_run,
            addresses={self._warden.naming.home: self._warden.address},
        )
        self._requirements = Requirements(resources, self._facts)
        scheduling = Scheduling(self._plan, cluster, self._facts.zone)
        self._launcher = Launcher(resources, self._job_pods, scheduling, self._requirements.environments)
        self._closing.callback(self._launcher.close)
        self._startup = Startup(resources)
        self._shutdown = Shutdown(resources, self._warden.is_ending)
        if any_sealed(self._plan):
            resources.create(policy(resources.naming), "the NetworkPolicy of its sealed steps")

    def check(self) -> None:
        """Raise PlatformError if the API or the warden is lost, or what a step needs beside its pods."""
        self._watcher.check()
        self._warden.check()
        for label, group in list(self._live.items()):
            self._check_group(label, group)

    def _check_group(self, label: str, group: PodGroup) -> None:
        is_service_ending = self._watcher.is_service_ending(group.host)
        if label not in self._awaited and (is_service_ending or any(task.is_doomed for task in group.tasks)):
            # The warden's end is heard first, if that is what takes the step away.
            self._awaited.add(label)
            self._context.notifier.wait(self._warden.is_ending, WARDEN_SECONDS)
            self._warden.check()
        if is_service_ending:
            words = f"{group.step}: its Service was deleted by somebody"
            raise PlatformError(words, code="removed", step=group.step)
        for task in (*group.tasks, *group.sidecars):
            check_own(task.view)
            if task.output and task.output.refused:
                raise task.output.refused.to_error("reading its output", group.step)

    def _check_run(self) -> None:
        self.check()
        self._context.control.check()

    def share(self, inputs: Sequence[InputFile], fetch: Fetch) -> None:
        """Hand inputs to the hub, which hands them to the pods."""
        fetched = [(item.path, *fetch(item)) for item in inputs]
        for number, (path, source, _digest) in enumerate(fetched):
            self._agent.send_input(str(number), source, self._context.control.check)
            self._launcher.inputs[path] = str(number)

    def install(self, step: Service | Job) -> tuple[dict[str, str], bool]:
        """Install a step's Python packages in a pod of its image, once for all steps that need the same there."""
        return self._requirements.install(self, step)

    @contextlib.contextmanager
    def interpreter(self, step: Service | Job) -> Iterator[Interpreter]:
        """Lend the interpreter of a pod of a step's image that stands by: only it tells what a tag is just now."""
        unit = standby_unit(self, step)
        tasks = self._start(unit, lambda group: self._launcher.make_standby(group, unit)).tasks
        try:
            yield self._requirements.interpreter(tasks[0])
        finally:
            self.stop(tasks, STANDBY_SECONDS)
            tasks[0].remove()

    def share_environment(self, step: Service | Job, kept: KeptEnvironment) -> None:
        """Hand an environment to the pods of a step, by the hub."""
        self._requirements.share(step, kept)

    def environment_of(self, step: Service | Job) -> Environment | None:
        """Return the Python environment of a step that has one."""
        packed = self._requirements.environments.get(step.name)
        return Environment(PYTHON, packed.path) if packed else None

    def site(self, launch: Launch[Any]) -> Site:
        """Return a step's address, which is its Service's, and its folders."""
        return site_of(self._resources.naming, launch.step, launch.iteration)

    def start(self, units: Sequence[Unit]) -> Sequence[Task]:
        """Start units of a step, each in a pod of its own."""
        return self._start_step(units, []).tasks

    def start_with(self, unit: Unit, beside: Sequence[Unit]) -> tuple[Task, Sequence[Task]]:
        """Start a job's unit, and before it those of services in the same pod, which Kubernetes asks until ready."""
        group = self._start_step([unit], beside)
        return group.tasks[0], group.sidecars

    def _start_step(self, units: Sequence[Unit], beside: Sequence[Unit]) -> PodGroup:
        await_places = self._startup.wait_for_places
        group = self._start(units[0], lambda group: self._launcher.make(group, units, beside, await_places))
        self._facts.note((*group.tasks, *group.sidecars))
        self._launcher.scheduling.note(group.tasks)
        return group

    def _start(self, unit: Unit, make: Callable[[PodGroup], None]) -> PodGroup:
        self.check()
        self._shutdown.await_removal()
        group = PodGroup(unit.step.name, unit.site.address.host)
        try:
            make(group)
            self._startup.wait(group.tasks, group.sidecars)
        except BaseException as error:
            # Nobody has got it yet who could stop it.
            words = how_many_fit(error, unit, group.tasks)
            self._shutdown.give_back(group)
            if isinstance(error, PlatformError) and words:
                # One that another makes is not made anew.
                kind = NotAgainError if any(task.maker.removes_pods for task in group.tasks) else PlatformError
                raise kind(f"{error.message}; {words}", code=error.code, step=unit.step.name) from None
            raise
        self._live[unit.label] = group
        return group

    def whereabouts(self, task: Task) -> Whereabouts:
        """Return where a member is that was started: its pod's address, and its node."""
        view = self._watcher.view(task.name)
        return Whereabouts(view.ip, view.node or "")

    def stop(self, tasks: Sequence[Task], grace: float) -> None:
        """End pods; what they wrote is to be fetched before they are removed."""
        if group := self._live.pop(tasks[0].unit.label, None):
            self._shutdown.end(group, grace)

    def reach_service(self, address: Address, seconds: float) -> Answer:
        """Ask whether a Service leads anywhere: a server's own answer is not enough."""
        host, port = address.host, address.port or 0
        answer = self._agent.probe("tcp", host, port, "", seconds)
        return answer if answer.ok else replace(answer, detail=f"the Service {host}:{port}: {answer.detail}")

    def read_usage(self) -> None:
        """Write down what the hub was told that live tasks have used since the last time."""
        self._usage.read([task for group in self._live.values() for task in (*group.tasks, *group.sidecars)])

    def facts(self) -> dict[str, Any]:
        """Return what is known of the cluster, of the nodes that were used, and of the images by step."""
        return self._facts.to_json(self._resources.results.hosts)

    def left(self) -> list[str]:
        """Return the steps' objects, and once this is closed the run's own too, as the API knows them."""
        if not self._is_closed:
            self._shutdown.await_removal()
        try:
            with map_errors("looking for what is left"):
                return self._warden.left(steps_only=not self._is_closed)
        except PlatformError as error:
            if error.code != API_LOST:
                raise
            return [f"job {self._warden.naming.home} and what it owns, unless its warden has ended it: {error.message}"]

    def created(self) -> int:
        """Return how many objects were made."""
        return self._warden.created + self._resources.created

    def close(self) -> None:
        """Remove everything of the run."""
        if self._is_closed:
            return
        self._is_closed = True
        self._closing.close()
