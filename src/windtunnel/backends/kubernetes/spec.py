"""What a step's pod is made of: its own containers, and the collector beside them. No I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from windtunnel.backends.agent.places import ARGUMENTS, FILES, INPUTS
from windtunnel.backends.agent.places import PYTHON as PYTHONS
from windtunnel.backends.agent.places import WORK as WORKS
from windtunnel.backends.containers import OUT, PYTHON, RESULTS, WORK
from windtunnel.backends.kubernetes.objects import (
    Manifest,
    Naming,
    script,
    script_environment,
    script_mount,
    script_volume,
)
from windtunnel.backends.kubernetes.placing import Placing, affinity
from windtunnel.backends.kubernetes.pods import COLLECTOR, FETCHER, SEAL
from windtunnel.backends.kubernetes.sealing import (
    SEALED,
    is_sealed,
    pod_options,
    scratch_mounts,
    scratch_volumes,
    security,
)
from windtunnel.backends.kubernetes.secrecy import Hidden
from windtunnel.plan import Probe, Program, Service

COLLECT_SECONDS = 20
"""How long a collector may send after its step has ended; an abandoned pod stays no longer either."""
PROBE_SECONDS = 5
"""How long Kubernetes waits for the answer of a server in its client's pod, each time."""
_ROOT = 0


@dataclass(frozen=True)
class Container:
    """A step's container.

    Attributes:
        name: The step's name.
        program: What it runs.
        argv: Its command, with all names replaced.
        env: Its environment.
        files: Path to key, for files that are in the ConfigMap called `config`.
        config: That ConfigMap, and the Secret of the same name.
        hidden: What of it is in that Secret.
        sidecar: The service, if it lives in its client's pod.
        stop: Its stop command, with all names replaced.
        ready: The command of its readiness probe, the same.
        port: Its port.
        packages: URL of its Python environment, and the token for it, if it has one.
    """

    name: str
    program: Program
    argv: Sequence[str]
    env: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)
    config: str = ""
    hidden: Hidden = field(default_factory=Hidden)
    sidecar: Service | None = None
    stop: Sequence[str] = ()
    ready: Sequence[str] = ()
    port: int | None = None
    packages: tuple[str, str] | None = None


@dataclass(frozen=True)
class Surroundings:
    """What the pod of a step has beside the step.

    Attributes:
        runner: The image of the collector.
        collect: The collector's arguments: where it sends what to, and the tokens for it.
        grace: Seconds that it may take to end.
        inputs: Path to the name, URL and token of an input.
        addresses: The run's own names, for a pod that may not ask for them.
        secret: The Secret that has the arguments of our own containers, if they are not known when the pod is made.
    """

    runner: str
    collect: Sequence[str]
    grace: float
    inputs: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""


def pod(naming: Naming, name: str, containers: Sequence[Container], placing: Placing, around: Surroundings) -> Manifest:
    """Return a step's pod: the first of `containers` is the step's, the others are beside it.

    It is started once and never again: a restart would falsify what is measured. Its processes
    share a namespace, in which they are not process 1, which no SIGTERM ends by default.
    """
    main, *beside = containers
    sealed = [each for each in containers if is_sealed(each.program)]
    first = [_runner(SEAL, around, script("kubernetes.pod.seal"), [])] if sealed else []
    if around.inputs or any(each.packages for each in containers):
        first.append(_fetcher(around, containers))
    spec: Manifest = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "shareProcessNamespace": True,
        "terminationGracePeriodSeconds": math.ceil(around.grace),
        "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
        "initContainers": [*first, _collector(around, containers), *(_container(each, around) for each in beside)],
        "containers": [_container(main, around)],
        "volumes": [*_volumes(containers, around), script_volume(naming)],
        "affinity": affinity(naming, placing),
    }
    metadata = naming.metadata(name, main.name)
    if sealed:
        # The containers of a pod share its network: one that is sealed seals them all.
        spec |= pod_options(around.addresses)
        spec["volumes"] += [volume for each in sealed for volume in scratch_volumes(each.name)]
        metadata["labels"][SEALED] = "true"
    selector = {key: value for each in containers for key, value in each.program.node_selector.items()}
    if selector:
        spec["nodeSelector"] = selector
    if tolerations := [dict(each) for container in containers for each in container.program.tolerations]:
        spec["tolerations"] = tolerations
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _container(container: Container, around: Surroundings) -> Manifest:
    name = container.name
    found: Manifest = {
        "name": name,
        "image": container.program.image,
        "imagePullPolicy": "IfNotPresent",
        "command": container.hidden.command(container.argv),
        "env": container.hidden.environment(container.env, container.config),
        "workingDir": str(WORK),
        "resources": _resources(container.program),
        "securityContext": {"allowPrivilegeEscalation": False},
        "volumeMounts": [
            {"name": f"{name}-work", "mountPath": str(WORK)},
            {"name": f"{name}-results", "mountPath": str(RESULTS)},
            {"name": f"{name}-out", "mountPath": str(OUT)},
            *(
                {"name": f"{name}-files", "mountPath": path, "subPath": key}
                for path, key in container.files.items()
                if _is_absolute(path)
            ),
            *(
                {"name": "inputs", "mountPath": str(WORK / path), "subPath": key, "readOnly": True}
                for path, (key, _url, _token) in around.inputs.items()
            ),
        ],
    }
    if container.packages:
        found["volumeMounts"].append({"name": f"{name}-python", "mountPath": str(PYTHON), "readOnly": True})
    if is_sealed(container.program):
        found["securityContext"] = security()
        found["volumeMounts"] += scratch_mounts(name)
    if container.sidecar:
        found["restartPolicy"] = "Always"
        found["startupProbe"] = _probe(container.sidecar.ready.probe, container) | {
            "periodSeconds": 1,
            "timeoutSeconds": PROBE_SECONDS,
            "failureThreshold": math.ceil(container.sidecar.ready.within) + 5,
        }
        if container.stop:
            found["lifecycle"] = {"preStop": {"exec": {"command": list(container.stop)}}}
    return found


def _probe(probe: Probe, container: Container) -> Manifest:
    port = probe.port or container.port
    if probe.kind == "http":
        return {"httpGet": {"path": probe.target, "port": port}}
    if probe.kind == "tcp":
        return {"tcpSocket": {"port": port}}
    return {"exec": {"command": list(container.ready)}}


def _resources(program: Program) -> Manifest:
    wanted: dict[str, str] = {}
    if program.cpu:
        wanted["cpu"] = f"{round(program.cpu * 1000)}m"
    if program.memory:
        wanted["memory"] = str(round(program.memory))
    if program.gpu:
        wanted["nvidia.com/gpu"] = str(program.gpu)
    return {"requests": wanted, "limits": wanted} if wanted else {}


def _collector(around: Surroundings, containers: Sequence[Container]) -> Manifest:
    mounts = [
        mount
        for each in containers
        for mount in (
            {"name": f"{each.name}-results", "mountPath": f"{RESULTS}/{each.name}"},
            {"name": f"{each.name}-out", "mountPath": f"{RESULTS}/{each.name}/{OUT.name}"},
        )
    ]
    found = _runner(COLLECTOR, around, _collector_script(around, COLLECTOR, around.collect), mounts) | {
        "restartPolicy": "Always",
        # It reads what any user of the step's image wrote.
        "securityContext": {"runAsUser": _ROOT, "allowPrivilegeEscalation": False},
    }
    placed = [each for each in containers if _placed(each)]
    folders = [f"{each.name}/{folder}" for each in containers for folder in _folders(around.inputs)]
    if placed or folders:
        for each in containers:
            found["volumeMounts"].append({"name": f"{each.name}-work", "mountPath": f"{WORKS}/{each.name}"})
        for each in placed:
            found["volumeMounts"].append({"name": f"{each.name}-placed", "mountPath": f"{FILES}/{each.name}"})
        # The next container is started when this is done.
        found["lifecycle"] = {"postStart": {"exec": {"command": script("agent.collector", "place", *folders)}}}
    return found


def _placed(container: Container) -> dict[str, str]:
    """Return the files that go into the working folder, which are the step's to change."""
    return {path: key for path, key in container.files.items() if not _is_absolute(path)}


def _folders(paths: Iterable[str]) -> list[str]:
    """Return the folders in the working folder that some paths need."""
    found = {str(PurePosixPath(path).parent) for path in paths if not _is_absolute(path)}
    return sorted(found - {"."})


def _is_absolute(path: str) -> bool:
    return PurePosixPath(path).is_absolute()


def _fetcher(around: Surroundings, containers: Sequence[Container]) -> Manifest:
    mounts = [{"name": "inputs", "mountPath": str(INPUTS)}] if around.inputs else []
    mounts += [
        {"name": f"{each.name}-python", "mountPath": f"{PYTHONS}/{each.name}"} for each in containers if each.packages
    ]
    arguments = fetcher_arguments(around.inputs.values(), containers)
    return _runner(FETCHER, around, _collector_script(around, FETCHER, arguments), mounts)


def fetcher_arguments(inputs: Iterable[tuple[str, str, str]], containers: Sequence[Container] = ()) -> list[str]:
    """Return what the collector's program is called with to fetch what the containers of a pod need."""
    files = [",".join(("file", *each)) for each in inputs]
    trees = [",".join(("tree", each.name, *each.packages)) for each in containers if each.packages]
    return ["fetch", *files, *trees]


def _collector_script(around: Surroundings, container: str, arguments: Sequence[str]) -> list[str]:
    return script("agent.collector", *([f"@{ARGUMENTS / container}"] if around.secret else arguments))


def _runner(name: str, around: Surroundings, command: list[str], mounts: list[dict[str, str]]) -> Manifest:
    return {
        "name": name,
        "image": around.runner,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "env": [{"name": key, "value": value} for key, value in script_environment().items()],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [script_mount(), *mounts, *_arguments_mounts(around)],
    }


def _arguments_mounts(around: Surroundings) -> list[Manifest]:
    return [{"name": "windtunnel-arguments", "mountPath": str(ARGUMENTS), "readOnly": True}] if around.secret else []


def _volumes(containers: Sequence[Container], around: Surroundings) -> list[Manifest]:
    found: list[Manifest] = [
        {"name": f"{each.name}-{part}", "emptyDir": {}} for each in containers for part in ("work", "results", "out")
    ]
    for each in containers:
        if each.packages:
            found.append({"name": f"{each.name}-python", "emptyDir": {}})
        if each.files:
            found.append({"name": f"{each.name}-files", **each.hidden.volume(each.config)})
        if placed := _placed(each):
            items = [{"key": key, "path": str(PurePosixPath(path))} for path, key in placed.items()]
            found.append({"name": f"{each.name}-placed", **each.hidden.volume(each.config, items)})
    if around.secret:
        found.append({"name": "windtunnel-arguments", "secret": {"secretName": around.secret}})
    return found + ([{"name": "inputs", "emptyDir": {}}] if around.inputs else [])
