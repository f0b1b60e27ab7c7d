"""Starting steps: their objects, made and waited for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from windtunnel.backends.base import Launch
from windtunnel.backends.kubernetes import objects
from windtunnel.backends.kubernetes.admitted import changes
from windtunnel.backends.kubernetes.calls import Refused, cluster_words
from windtunnel.backends.kubernetes.nodes import MANY, Ground, choose_ground, has_choice
from windtunnel.backends.kubernetes.output import Output
from windtunnel.backends.kubernetes.place import Environment, Place
from windtunnel.backends.kubernetes.placing import ZONE, Placing
from windtunnel.backends.kubernetes.pod_maker import DRIVER_PODS, PodOrder
from windtunnel.backends.kubernetes.pods import COLLECTOR, FETCHER
from windtunnel.backends.kubernetes.sealing import any_sealed, policy
from windtunnel.backends.kubernetes.secrecy import Secrecy
from windtunnel.backends.kubernetes.spec import COLLECT_SECONDS, Container, Surroundings, fetcher_arguments, pod
from windtunnel.backends.kubernetes.step import Replica, RunningStep
from windtunnel.backends.kubernetes.steps import belongings, make_step
from windtunnel.plan import Job, Service


class Launcher:
    """Starts the steps of one run.

    Args:
        place: Where.
        check: Called while something is waited for; raises what ends the run.
        tell: Called with a sentence that makes numbers doubtful, and the step's name.

    Attributes:
        inputs: Path at which each step finds an input, to its name at the hub.
        environments: The Python environment of each step that has one, by the step's name.
        created: How many objects were made.
    """

    def __init__(self, place: Place, check: Callable[[], None], tell: Callable[[str, str], None]) -> None:
        self.inputs: dict[str, str] = {}
        self.environments: dict[str, Environment] = {}
        self.created = 0
        self._place, self._check, self._tell = place, check, tell
        self._doubted: set[tuple[str, str]] = set()
        self._nodes: dict[str, str] = {}
        self._ground: Ground | None = None
        self._in_client: dict[str, tuple[RunningStep, Container]] = {}
        self._outputs: list[Output] = []
        self._secrecy = Secrecy.of(place.plan)
        self._belongings: dict[RunningStep, list[tuple[str, str]]] = {}
        if any_sealed(place.plan):
            self.create(policy(place.naming), "the NetworkPolicy of its sealed steps")

    def start(self, launch: Launch[Service] | Launch[Job]) -> RunningStep:
        """Make a step's objects; its pods need not run yet. A service in its client's pod has none of its own.

        Raises:
            PlatformError: The API refuses.
        """
        step = launch.step
        running, container = self._make(launch)
        if isinstance(step, Service):
            if step.placement == "same-pod":
                self._in_client[step.name] = running, container
                return running
            self._make_service(step, running)
            names = [self._pod_name(launch, number) for number in range(1, step.replicas + 1)]
            beside: list[tuple[RunningStep, Container]] = []
        else:
            names = [self._pod_name(launch, 1)]
            beside = [self._in_client[need] for need in self._order(step) if need in self._in_client]
        maker = self._place.job_pods if isinstance(step, Job) else DRIVER_PODS
        containers = [container, *(each for _step, each in beside)]
        own = [each.name for each in containers]
        for name in names:
            order = self._order_pod(name, running, containers)
            made = maker.make(order)
            pod, main = made.name, made.container
            if made.admitted:
                for words in changes(order.manifest, made.admitted, own):
                    self._doubt(words, step.name)
            running.replicas.append(Replica(pod, main, self._look(pod), maker=maker))
            for other, each in beside:
                other.replicas[:] = [Replica(pod, each.name, self._look(pod), client=main)]
        return running

    def beside(self, running: RunningStep) -> list[RunningStep]:
        """Return the services that share the pod of a job."""
        if not isinstance(running.step, Job):
            return []
        return [self._in_client[name][0] for name in self._order(running.step) if name in self._in_client]

    def remove_belongings(self, running: RunningStep) -> None:
        """Delete what belongs to a step beside its pods, which are gone; it would go with the run too."""
        with cluster_words("removing what it had", running.name):
            if isinstance(running.step, Service):
                self._place.cluster.delete("Service", running.address.host)
            for kind, name in self._belongings.pop(running, ()):
                self._place.cluster.delete(kind, name)

    def forget(self, running: RunningStep) -> None:
        """Put a service of its client's pod into no further pod."""
        self._in_client.pop(running.name, None)

    def follow(self, running: RunningStep) -> None:
        """Write the output of containers that were started into the run's folder."""
        for number, replica in enumerate(running.replicas, start=1):
            if replica.output is not None or not replica.has_started:
                continue
            name, iteration = running.step.name, running.iteration
            path = running.log if number == 1 else self._place.folder.log(f"{name}.replica-{number}", iteration)
            self._outputs.append(replica.follow(self._place.cluster, path, self._place.watcher))
            if node := replica.view.node:
                self._nodes[name] = node

    def close(self) -> None:
        """Follow no output any more."""
        for output in self._outputs:
            output.close()

    def create(self, manifest: Mapping[str, Any], what: str, step: str | None = None) -> Any:
        """Create an object and count it (PlatformError)."""
        with cluster_words(what, step):
            made = self._place.cluster.create(manifest)
        self.created += 1
        return made

    def _make(self, launch: Launch[Service] | Launch[Job]) -> tuple[RunningStep, Container]:
        step, place = launch.step, self._place
        packages = self.environments.get(step.name)
        source = place.input(packages.name) if packages else None
        made = make_step(place.naming, self._secrecy, launch, packages, source)
        things = belongings(place.naming, made)
        for thing in things:
            self.create(thing, "its files or its secrets", step.name)
        running = RunningStep(
            step=step,
            label=launch.label,
            iteration=launch.iteration,
            address=made.address,
            log=place.folder.log(step.name, launch.iteration),
            metrics=place.folder.path / "logs" / f"{launch.label}.metrics.jsonl",
            env=made.env,
            values=made.values,
            memory=step.program.memory,
        )
        self._belongings[running] = [(thing["kind"], thing["metadata"]["name"]) for thing in things]
        return running, made.container

    def _make_service(self, step: Service, running: RunningStep) -> None:
        asked = [step.ready.probe.port, step.live.probe.port if step.live else None]
        ports = sorted({port for port in (running.address.port, *asked) if port})
        selector = objects.step_selector(self._place.naming, step.name)
        manifest = objects.service(self._place.naming, running.address.host, step.name, selector, ports)
        made = self.create(manifest, "its Service", step.name)
        if ports:
            self._place.addresses[running.address.host] = str(made["spec"]["clusterIP"])

    def _order_pod(self, name: str, running: RunningStep, containers: list[Container]) -> PodOrder:
        """Return the order of a step's pod."""
        place, step = self._place, running.step
        inputs = {path: (key, *place.input(key)) for path, key in self.inputs.items()}
        graces = [each.sidecar.grace for each in containers if each.sidecar]
        grace = step.grace if isinstance(step, Service) else COLLECT_SECONDS + sum(graces)
        around = Surroundings(place.runner, place.collect(name), grace, inputs, place.addresses)
        built_for = [self.environments[each.name].architecture for each in containers if each.packages]
        placing = replace(self._placing(step), architecture=next(iter(built_for), None))
        manifest = pod(place.naming, name, containers, placing, around)
        return PodOrder(
            step=step,
            iteration=running.iteration,
            manifest=manifest,
            arguments=lambda pod: {COLLECTOR: place.collect(pod), FETCHER: fetcher_arguments(inputs.values())},
            cluster=place.cluster,
            naming=place.naming,
            watcher=place.watcher,
            create=self.create,
            check=self._check,
        )

    def _doubt(self, words: str, step: str) -> None:
        """Tell once of a step what makes its numbers doubtful."""
        if (words, step) not in self._doubted:
            self._doubted.add((words, step))
            self._tell(f"{step}: {words}", step)

    def _placing(self, step: Service | Job) -> Placing:
        node = self._nodes.get(step.name)
        if isinstance(step, Service):
            ground = self._look_at_ground()
            return Placing(zone=ground.zone, node=node, kept=ground.kept if step.placement == "apart" else None)
        services = self._place.plan.services_for(step)
        nodes = [self._nodes[each.name] for each in services if each.name in self._nodes]
        zones = [zone for each in nodes if (zone := self._place.zone_of(each))]
        away_from = [each.name for each in services if each.placement == "apart"]
        has_chosen = ZONE in step.program.node_selector
        return Placing(away_from, zones[0] if zones and not has_chosen else None, node)

    def _look_at_ground(self) -> Ground:
        """Look at the nodes once, if that could make a difference and this user may."""
        if self._ground is None:
            self._ground = Ground()
            if has_choice(self._place.plan):
                with contextlib.suppress(Refused):
                    found = self._place.cluster.call("GET", "/api/v1/nodes", query={"limit": MANY})
                    self._ground = choose_ground(self._place.plan, found["items"])
        return self._ground

    def _order(self, step: Job) -> list[str]:
        return [each.name for each in self._place.plan.services_for(step)]

    def _pod_name(self, launch: Launch[Service] | Launch[Job], number: int) -> str:
        name = self._place.naming.name(launch.step.name, launch.iteration)
        return name if number == 1 else f"{name}-replica-{number}"

    def _look(self, name: str) -> Callable[[], Any]:
        return lambda: self._place.watcher.view(name)
