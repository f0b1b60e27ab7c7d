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
from windtunnel.backends.kubernetes.affinity import Placing, affinity
from windtunnel.backends.kubernetes.container_spec import ContainerSpec
from windtunnel.backends.kubernetes.manifests import (
    Manifest,
    arguments_name,
    script,
    script_environment,
    script_mount,
    script_volume,
)
from windtunnel.backends.kubernetes.naming import Naming
from windtunnel.backends.kubernetes.pods import COLLECTOR, FETCHER, SEAL
from windtunnel.backends.kubernetes.sealing import (
    SEALED,
    is_sealed,
    pod_options,
    scratch_mounts,
    scratch_volumes,
    security,
)
from windtunnel.plan import Probe, Program, Service, Step

COLLECT_SECONDS = 20
"""How long a collector may send after its step has ended; an abandoned pod stays no longer either."""
PROBE_SECONDS = 5
"""How long Kubernetes waits for the answer of a server in its client's pod, each time."""
_ARGUMENTS_MOUNT: Manifest = {"name": "windtunnel-arguments", "mountPath": str(ARGUMENTS), "readOnly": True}
_OWN_RESOURCES = {"requests": {"cpu": "10m", "memory": "32Mi"}}
_ROOT = 0


@dataclass(frozen=True)
class Companions:
    """What the pod of a step has beside the step.

    Attributes:
        runner: The image of the collector.
        grace: Seconds that it may take to end.
        inputs: Path to the name of an input at the hub.
        addresses: The run's own names, for a pod that may not ask for them.
    """

    runner: str
    grace: float
    inputs: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)


def pod(
    naming: Naming, name: str, containers: Sequence[ContainerSpec], placing: Placing, companions: Companions
) -> Manifest:
    """Return a step's pod: the first of `containers` is the step's, the others are beside it.

    It is started once and never again: a restart would falsify what is measured. Its processes
    share a namespace, in which they are not process 1, which no SIGTERM ends by default.
    """
    main, *beside = containers
    sealed = [each for each in containers if is_sealed(each.program)]
    first = [_runner(SEAL, companions, script("kubernetes.pod.seal"), [])] if sealed else []
    if companions.inputs or any(each.packages for each in containers):
        first.append(_fetcher(companions, containers))
    spec: Manifest = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "shareProcessNamespace": True,
        "terminationGracePeriodSeconds": math.ceil(companions.grace),
        "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
        "initContainers": [
            *first,
            _collector(companions, containers),
            *(_container(each, companions) for each in beside),
        ],
        "containers": [_container(main, companions)],
        "volumes": [*_volumes(name, containers, companions), script_volume(naming)],
        "affinity": affinity(naming, placing),
    }
    metadata = naming.metadata(name, main.name)
    if sealed:
        # The containers of a pod share its network: one that is sealed seals them all.
        spec |= pod_options(companions.addresses)
        spec["volumes"] += [volume for each in sealed for volume in scratch_volumes(each.name)]
        metadata["labels"][SEALED] = "true"
    selector = {key: value for each in containers for key, value in each.program.node_selector.items()}
    if selector:
        spec["nodeSelector"] = selector
    if tolerations := [dict(each) for container in containers for each in container.program.tolerations]:
        spec["tolerations"] = tolerations
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def grace_of(step: Step, sidecars: Sequence[Step] = ()) -> float:
    """Return the seconds that the pod of a step may take to end, and `sidecars` with it."""
    if isinstance(step, Service):
        return step.grace
    return COLLECT_SECONDS + sum(each.grace for each in sidecars if isinstance(each, Service))


def _container(container: ContainerSpec, companions: Companions) -> Manifest:
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
                for path, key in companions.inputs.items()
            ),
        ],
    }
    if container.packages:
        found["volumeMounts"].append({"name": f"{name}-python", "mountPath": str(PYTHON), "readOnly": True})
    if container.installs:
        mounts = [script_mount(), _ARGUMENTS_MOUNT, {"name": f"{name}-python", "mountPath": str(PYTHON)}]
        found |= {"resources": _OWN_RESOURCES, "volumeMounts": found["volumeMounts"] + mounts}
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


def _probe(probe: Probe, container: ContainerSpec) -> Manifest:
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


def _collector(companions: Companions, containers: Sequence[ContainerSpec]) -> Manifest:
    mounts = [
        mount
        for each in containers
        for mount in (
            {"name": f"{each.name}-results", "mountPath": f"{RESULTS}/{each.name}"},
            {"name": f"{each.name}-out", "mountPath": f"{RESULTS}/{each.name}/{OUT.name}"},
        )
    ]
    found = _runner(COLLECTOR, companions, _collector_script(COLLECTOR), [*mounts, _ARGUMENTS_MOUNT]) | {
        "restartPolicy": "Always",
        # It reads what any user of the step's image wrote.
        "securityContext": {"runAsUser": _ROOT, "allowPrivilegeEscalation": False},
    }
    placed = [each for each in containers if _placed(each)]
    folders = [f"{each.name}/{folder}" for each in containers for folder in _folders(companions.inputs)]
    if placed or folders:
        for each in containers:
            found["volumeMounts"].append({"name": f"{each.name}-work", "mountPath": f"{WORKS}/{each.name}"})
        for each in placed:
            found["volumeMounts"].append({"name": f"{each.name}-placed", "mountPath": f"{FILES}/{each.name}"})
        # The next container is started when this is done.
        found["lifecycle"] = {"postStart": {"exec": {"command": script("agent.collector", "place", *folders)}}}
    return found


def _placed(container: ContainerSpec) -> dict[str, str]:
    """Return the files that go into the working folder, which are the step's to change."""
    return {path: key for path, key in container.files.items() if not _is_absolute(path)}


def _folders(paths: Iterable[str]) -> list[str]:
    """Return the folders in the working folder that some paths need."""
    found = {str(PurePosixPath(path).parent) for path in paths if not _is_absolute(path)}
    return sorted(found - {"."})


def _is_absolute(path: str) -> bool:
    return PurePosixPath(path).is_absolute()


def _fetcher(companions: Companions, containers: Sequence[ContainerSpec]) -> Manifest:
    mounts = [{"name": "inputs", "mountPath": str(INPUTS)}] if companions.inputs else []
    mounts += [
        {"name": f"{each.name}-python", "mountPath": f"{PYTHONS}/{each.name}"} for each in containers if each.packages
    ]
    return _runner(FETCHER, companions, _collector_script(FETCHER), [*mounts, _ARGUMENTS_MOUNT])


def fetcher_arguments(inputs: Iterable[tuple[str, str, str]], containers: Sequence[ContainerSpec] = ()) -> list[str]:
    """Return what the collector's program is called with to fetch what the containers of a pod need."""
    files = [",".join(("file", *each)) for each in inputs]
    trees = [",".join(("tree", each.name, *each.packages)) for each in containers if each.packages]
    return ["fetch", *files, *trees]


def _collector_script(container: str) -> list[str]:
    return script("agent.collector", f"@{ARGUMENTS / container}")


def _runner(name: str, companions: Companions, command: list[str], mounts: list[dict[str, str]]) -> Manifest:
    return {
        "name": name,
        "image": companions.runner,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "env": [{"name": key, "value": value} for key, value in script_environment().items()],
        "resources": _OWN_RESOURCES,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [script_mount(), *mounts],
    }


def _volumes(name: str, containers: Sequence[ContainerSpec], companions: Companions) -> list[Manifest]:
    found: list[Manifest] = [
        {"name": f"{each.name}-{part}", "emptyDir": {}} for each in containers for part in ("work", "results", "out")
    ]
    for each in containers:
        if each.packages or each.installs:
            found.append({"name": f"{each.name}-python", "emptyDir": {}})
        if each.files:
            found.append({"name": f"{each.name}-files", **each.hidden.volume(each.config)})
        if placed := _placed(each):
            items = [{"key": key, "path": str(PurePosixPath(path))} for path, key in placed.items()]
            found.append({"name": f"{each.name}-placed", **each.hidden.volume(each.config, items)})
    found.append({"name": _ARGUMENTS_MOUNT["name"], "secret": {"secretName": arguments_name(name)}})
    return found + ([{"name": "inputs", "emptyDir": {}}] if companions.inputs else [])
