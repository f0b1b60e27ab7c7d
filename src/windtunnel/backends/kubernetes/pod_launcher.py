"""What a start of a step consists of on a cluster, made: its pods, and what has to be there before them."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from windtunnel.backends.agent.places import input_file
from windtunnel.backends.kubernetes.admission import changes
from windtunnel.backends.kubernetes.affinity import Placing
from windtunnel.backends.kubernetes.container_spec import ContainerSpec, belongings, container_spec
from windtunnel.backends.kubernetes.manifests import Manifest, arguments_name
from windtunnel.backends.kubernetes.pod_maker import DRIVER_PODS, PodMaker, PodOrder
from windtunnel.backends.kubernetes.pod_spec import Companions, fetcher_arguments, grace_of, pod
from windtunnel.backends.kubernetes.pods import COLLECTOR, FETCHER
from windtunnel.backends.kubernetes.requirements import PackedEnvironment
from windtunnel.backends.kubernetes.run_manifests import host_name, pod_name, starts_together, step_services
from windtunnel.backends.kubernetes.run_resources import RunResources
from windtunnel.backends.kubernetes.scheduling import Scheduling
from windtunnel.backends.kubernetes.secret_objects import Secrecy
from windtunnel.backends.kubernetes.task import PodTask
from windtunnel.backends.unit import Unit
from windtunnel.plan import Job

STANDBY_GRACE = 120
"""How many seconds the collector of a pod that stood by may take to send what was made there."""


@dataclass(eq=False)
class PodGroup:
    """What was made for a start of a step.

    Attributes:
        step: The step's name.
        host: The name of its Service, if it has one.
        tasks: Its own tasks.
        sidecars: Those of services in its pod.
        belongings: Kind and name of what goes with the pods.
    """

    step: str
    host: str
    tasks: list[PodTask] = field(default_factory=list)
    sidecars: list[PodTask] = field(default_factory=list)
    belongings: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether all of its own tasks have ended, and their output is there."""
        return all(task.is_over for task in self.tasks)

    def delete(self, grace: float) -> None:
        """Have its pods deleted, with so many seconds of grace."""
        for task in self.tasks:
            task.delete(grace)


class Launcher:
    """Makes what starts of steps consist of.

    Args:
        resources: What the run has.
        job_pods: Makes the pods of jobs.
        scheduling: Finds a place for each step.
        environments: The Python environment of each step that has one, by the step's name.

    Attributes:
        scheduling: What finds a place for each step.
        inputs: Path at which each step finds an input, to its name at the hub.
    """

    def __init__(
        self,
        resources: RunResources,
        job_pods: PodMaker,
        scheduling: Scheduling,
        environments: Mapping[str, PackedEnvironment],
    ) -> None:
        self._resources, self._naming, self._job_pods = resources, resources.naming, job_pods
        self.scheduling, self._environments = scheduling, environments
        self.inputs: dict[str, str] = {}
        self._secrecy = Secrecy.of(resources.context.plan, is_ahead=job_pods.is_ahead)
        self._doubted: set[tuple[str, str]] = set()
        self._tasks: list[PodTask] = []
        self._tries: Counter[tuple[str, int | None]] = Counter()

    def make(
        self,
        group: PodGroup,
        units: Sequence[Unit],
        sidecars: Sequence[Unit],
        await_places: Callable[[Sequence[PodTask]], None],
    ) -> None:
        """Make the pods of a step's units, each with `sidecars` beside it; they need not run yet.

        Args:
            group: What is made is added to it, so that it is known even if not all of it could be.
            units: One of each replica or member.
            sidecars: Services in the same pod.
            await_places: Waits until tasks have nodes.

        Raises:
            PlatformError: The API refuses, or some members have no place.
        """
        self._begin_try(units)
        own = units if isinstance(units[0].step, Job) else units[:1]
        self._make_belongings(group, [*own, *sidecars])
        for service in step_services(self._naming, units[0]):
            self._make_service(group, service)
        for unit in sorted(units, key=self._is_made_once):
            self._resources.check()  # hundreds of replicas take minutes
            if self._is_made_once(unit):
                await_places(group.tasks)
            self._make_pod(group, unit, sidecars)
        group.tasks.sort(key=lambda task: task.unit.number)
        if starts_together(units[0]):
            await_places(group.tasks)
            path, check = str(input_file(self._start_file(units[0]))), self._resources.check
            self._resources.agent.send_file(path, io.BytesIO(), 0, check)

    def make_standby(self, group: PodGroup, unit: Unit) -> None:
        """Make the pod of a unit that stands by, until the hub has the input called like it; it need not run yet.

        Args:
            group: What is made is added to it.
            unit: The unit.

        Raises:
            PlatformError: The API refuses.
        """
        resources, name, step = self._resources, pod_name(self._naming, unit), unit.step.name
        container = container_spec(self._naming, self._secrecy, unit)
        manifest = pod(self._naming, name, [container], Placing(), Companions(resources.runner, STANDBY_GRACE))
        words = {COLLECTOR: resources.collect(name), step: resources.input(unit.label)}
        group.belongings.append(("Secret", arguments_name(name)))
        DRIVER_PODS.make(PodOrder(unit, manifest, lambda _pod: words, resources))
        group.tasks.append(self._task(unit, name, step, DRIVER_PODS))

    def close(self) -> None:
        """Follow no output any more."""
        for task in self._tasks:
            if task.output:
                task.output.close()

    def _start_file(self, unit: Unit) -> str:
        """Return what the hub calls the word for a unit to begin."""
        step, iteration = _start_of(unit)
        return f"start-{step}-{iteration}-{self._tries[step, iteration]}"

    def _is_made_once(self, unit: Unit) -> bool:
        """Tell whether another makes a unit's pod, who makes no second one if there is no room for all members."""
        return self._job_pods.is_ahead and _is_jobs(unit)

    def _begin_try(self, units: Sequence[Unit]) -> None:
        """Count the tries of a step's start, and drop what a member printed that was given back with the last one."""
        start = _start_of(units[0])
        self._tries[start] += 1
        if self._tries[start] > 1:
            labels = {unit.label for unit in units}
            for task in [task for task in self._tasks if task.unit.label in labels]:
                if task.output:
                    task.output.close()
                task.log.unlink(missing_ok=True)
                self._tasks.remove(task)

    def _make_belongings(self, group: PodGroup, units: Sequence[Unit]) -> None:
        for unit in units:
            for thing in belongings(self._naming, self._secrecy, unit):
                self._resources.create(thing, "its files or its secrets", unit.step.name)
                group.belongings.append((thing["kind"], thing["metadata"]["name"]))

    def _make_service(self, group: PodGroup, service: Manifest) -> None:
        made, name = self._resources.create(service, "its Service", group.step), service["metadata"]["name"]
        group.belongings.insert(0, ("Service", name))
        if "ports" in service["spec"]:
            self._resources.addresses[name] = str(made["spec"]["clusterIP"])

    def _make_pod(self, group: PodGroup, unit: Unit, sidecars: Sequence[Unit]) -> None:
        resources = self._resources
        inputs = [(key, *resources.input(key)) for key in self.inputs.values()]
        containers = [self._container(each) for each in (unit, *sidecars)]
        start = resources.input(self._start_file(unit)) if starts_together(unit) else None
        manifest = self._manifest(unit, sidecars, containers)

        def arguments(name: str) -> Mapping[str, Sequence[object]]:
            return {COLLECTOR: resources.collect(name), FETCHER: fetcher_arguments(inputs, containers, start)}

        group.belongings.append(("Secret", arguments_name(manifest["metadata"]["name"])))
        maker = self._job_pods if _is_jobs(unit) else DRIVER_PODS
        made = maker.make(PodOrder(unit, manifest, arguments, resources))
        if made.admitted:
            for words in changes(manifest, made.admitted, [each.step.name for each in (unit, *sidecars)]):
                self._doubt(words, unit.step.name)
        group.tasks.append(self._task(unit, made.name, made.container, maker))
        group.sidecars += [self._task(each, made.name, each.step.name, maker, made.container) for each in sidecars]

    def _manifest(self, unit: Unit, sidecars: Sequence[Unit], containers: Sequence[ContainerSpec]) -> Manifest:
        resources = self._resources
        # What comes of a pod is known by its name: of one that was given back nothing is taken for the next one's.
        number = 1 if self._is_made_once(unit) else self._tries[_start_of(unit)]
        name = pod_name(self._naming, unit) + (f"-try-{number}" if number > 1 else "")
        built_for = [self._environments[each.name].architecture for each in containers if each.packages]
        grace = grace_of(unit.step, [each.step for each in sidecars])
        host = host_name(self._naming, unit)
        companions = Companions(
            resources.runner, grace, self.inputs, resources.addresses, host, unit.number, starts_together(unit)
        )
        placing = self.scheduling.placing(unit, next(iter(built_for), None))
        return pod(self._naming, name, containers, placing, companions)

    def _container(self, unit: Unit) -> ContainerSpec:
        packed = self._environments.get(unit.step.name)
        packages = self._resources.input(packed.name) if packed else None
        return container_spec(self._naming, self._secrecy, unit, packages)

    def _doubt(self, words: str, step: str) -> None:
        """Tell once of a step what makes its numbers doubtful."""
        if (words, step) not in self._doubted:
            self._doubted.add((words, step))
            self._resources.context.journal.doubt(f"{step}: {words}", step)

    def _task(self, unit: Unit, pod: str, container: str, maker: PodMaker, client: str | None = None) -> PodTask:
        task = PodTask(
            unit=unit,
            log=unit.log(self._resources.context.folder),
            pod=pod,
            container=container,
            resources=self._resources,
            maker=maker,
            client=client,
        )
        self._tasks.append(task)
        task.listen()
        return task


def _is_jobs(unit: Unit) -> bool:
    """Tell whether a unit's pod is that of its job, whose other members are the driver's."""
    return isinstance(unit.step, Job) and unit.number == 1


def _start_of(unit: Unit) -> tuple[str, int | None]:
    """Return which start of a step a unit belongs to."""
    return unit.step.name, unit.iteration
