"""Starting steps: their objects, made and waited for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from windtunnel.backends.base import Address, Launch
from windtunnel.backends.containers import METRICS, OUT, PYTHON, WORK, choose_port, python_variables
from windtunnel.backends.kubernetes import objects
from windtunnel.backends.kubernetes.calls import Refused, cluster_words
from windtunnel.backends.kubernetes.nodes import MANY, Ground, choose_ground, has_choice
from windtunnel.backends.kubernetes.output import Output
from windtunnel.backends.kubernetes.place import Environment, Place
from windtunnel.backends.kubernetes.placing import ZONE, Placing
from windtunnel.backends.kubernetes.sealing import any_sealed, policy
from windtunnel.backends.kubernetes.spec import COLLECT_SECONDS, Container, Surroundings, pod
from windtunnel.backends.kubernetes.step import Replica, RunningStep
from windtunnel.backends.requirements import with_environment
from windtunnel.plan import Job, Service
from windtunnel.substitution import substitute

_HERE = "127.0.0.1"


class Launcher:
    """Starts the steps of one run.

    Attributes:
        inputs: Path at which each step finds an input, to its name at the hub.
        environments: The Python environment of each step that has one, by the step's name.
        created: How many objects were made.
    """

    def __init__(self, place: Place) -> None:
        self.inputs: dict[str, str] = {}
        self.environments: dict[str, Environment] = {}
        self.created = 0
        self._place = place
        self._nodes: dict[str, str] = {}
        self._ground: Ground | None = None
        self._in_client: dict[str, tuple[RunningStep, Container]] = {}
        self._outputs: list[Output] = []
        if any_sealed(place.plan):
            self.create(policy(place.naming), "the NetworkPolicy of its sealed steps")

    def start(self, launch: Launch[Service] | Launch[Job]) -> RunningStep:
        """Make a step's objects; its pods need not run yet. A service in its client's pod has none of its own.

        Raises:
            PlatformError: The API refuses.
        """
        step = launch.step
        running = self._running(launch)
        container = self._container(launch, running)
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
        for name in names:
            self._make_pod(name, running, [container, *(each for _step, each in beside)])
            running.replicas.append(Replica(name, step.name, self._look(name)))
            for other, each in beside:
                other.replicas[:] = [Replica(name, each.name, self._look(name), client=step.name)]
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
            if running.step.program.files:
                self._place.cluster.delete("ConfigMap", self._place.naming.name(running.name, running.iteration))

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
            self._outputs.append(replica.follow(self._place.cluster, path, self._place.watcher.notify))
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

    def _running(self, launch: Launch[Service] | Launch[Job]) -> RunningStep:
        step, place = launch.step, self._place
        host = place.naming.name(step.name, launch.iteration)
        if isinstance(step, Service) and step.placement == "same-pod":
            host = _HERE
        address = Address(host, choose_port(step))
        values = launch.names(address, WORK, OUT, METRICS)
        env = {**values, **{name: substitute(text, values) for name, text in step.program.env.items()}}
        if packages := self.environments.get(step.name):
            env |= python_variables(env.get("PATH", packages.path))
        return RunningStep(
            step=step,
            label=launch.label,
            iteration=launch.iteration,
            address=address,
            log=place.folder.log(step.name, launch.iteration),
            metrics=place.folder.path / "logs" / f"{launch.label}.metrics.jsonl",
            env=env,
            values=values,
            memory=step.program.memory,
        )

    def _container(self, launch: Launch[Service] | Launch[Job], running: RunningStep) -> Container:
        step, values = launch.step, running.values
        contents = {path: substitute(text, values) for path, text in step.program.files.items()}
        keys = {path: f"file-{number}" for number, path in enumerate(contents)}
        config = self._place.naming.name(step.name, launch.iteration)
        if contents:
            data = {keys[path]: text for path, text in contents.items()}
            self.create(objects.config_map(self._place.naming, config, step.name, data), "its files", step.name)
        service = step if isinstance(step, Service) else None
        command = [substitute(word, values) for word in step.program.command]
        packages = self.environments.get(step.name)
        return Container(
            name=step.name,
            program=step.program,
            argv=with_environment(command, PYTHON) if packages else command,
            env=running.env,
            files=keys,
            config=config,
            sidecar=service if service and service.placement == "same-pod" else None,
            stop=[substitute(word, values) for word in service.stop or ()] if service else (),
            ready=[substitute(word, values) for word in service.ready.probe.command] if service else (),
            port=running.address.port,
            packages=self._place.input(packages.name) if packages else None,
        )

    def _make_service(self, step: Service, running: RunningStep) -> None:
        asked = [step.ready.probe.port, step.live.probe.port if step.live else None]
        ports = sorted({port for port in (running.address.port, *asked) if port})
        selector = objects.step_selector(self._place.naming, step.name)
        manifest = objects.service(self._place.naming, running.address.host, step.name, selector, ports)
        made = self.create(manifest, "its Service", step.name)
        if ports:
            self._place.addresses[running.address.host] = str(made["spec"]["clusterIP"])

    def _make_pod(self, name: str, running: RunningStep, containers: list[Container]) -> None:
        place, step = self._place, running.step
        inputs = {path: (key, *place.input(key)) for path, key in self.inputs.items()}
        graces = [each.sidecar.grace for each in containers if each.sidecar]
        grace = step.grace if isinstance(step, Service) else COLLECT_SECONDS + sum(graces)
        around = Surroundings(place.runner, place.collect(name), grace, inputs, place.addresses)
        built_for = [self.environments[each.name].architecture for each in containers if each.packages]
        placing = replace(self._placing(step), architecture=next(iter(built_for), None))
        manifest = pod(place.naming, name, containers, placing, around)
        self.create(manifest, "its pod", step.name)

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
