"""What a step's pod is made of: its own containers, and the collector beside them. No I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from windtunnel.backends.agent.places import ARGUMENTS, FILES, INPUTS
from windtunnel.backends.agent.places import PYTHON as PYTHONS
from windtunnel.backends.agent.places import WORK as WORKS
from windtunnel.backends.containers import OUT, RESULTS
from windtunnel.backends.kubernetes.affinity import Placing, affinity
from windtunnel.backends.kubernetes.container_manifest import (
    ARGUMENTS_MOUNT,
    OWN_RESOURCES,
    is_absolute,
    placed,
    step_container,
    step_volumes,
)
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
from windtunnel.backends.kubernetes.run_manifests import MEMBER, HostName
from windtunnel.backends.kubernetes.sealing import (
    SEALED,
    is_sealed,
    pod_options,
    scratch_volumes,
)
from windtunnel.plan import Service, Step

COLLECT_SECONDS = 20
"""How long a collector may send after its step has ended; an abandoned pod stays no longer either."""
_ROOT = 0
_NOT_WITHOUT_NODE: list[Manifest] = [
    {"key": f"node.kubernetes.io/{taint}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}
    for taint in ("not-ready", "unreachable")
]
"""A member whose node is lost is taken for lost at once, and not five minutes later: the others wait for it."""


@dataclass(frozen=True)
class Companions:
    """What the pod of a step has beside the step.

    Attributes:
        runner: The image of the collector.
        grace: Seconds that it may take to end.
        inputs: Path to the name of an input at the hub.
        addresses: The run's own names, for a pod that may not ask for them.
        host: What the pod is called by others, if it is one of several that reach each other.
        number: Which of them it is, from 1.
        waits: Whether its step begins when the driver says that all of them have a place.
    """

    runner: str
    grace: float
    inputs: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    host: HostName | None = None
    number: int = 1
    waits: bool = False


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
    if companions.inputs or companions.waits or any(each.packages for each in containers):
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
            *(step_container(each, companions.inputs) for each in beside),
        ],
        "containers": [step_container(main, companions.inputs)],
        "volumes": [*_volumes(name, containers, companions), script_volume(naming)],
        "affinity": affinity(naming, placing),
    }
    metadata = naming.metadata(name, main.name)
    for each in containers:
        metadata["labels"] = {**each.program.pod_labels, **metadata["labels"]}
        metadata["annotations"] = {**each.program.pod_annotations, **metadata["annotations"]}
    if companions.host:
        metadata["labels"][MEMBER] = str(companions.number - 1)
        spec |= {"hostname": companions.host.name, "subdomain": companions.host.subdomain}
    if sealed:
        # The containers of a pod share its network: one that is sealed seals them all.
        spec |= pod_options(_others(companions))
        spec["volumes"] += [volume for each in sealed for volume in scratch_volumes(each.name)]
        metadata["labels"][SEALED] = "true"
    selector = {key: value for each in containers for key, value in each.program.node_selector.items()}
    if selector:
        spec["nodeSelector"] = selector
    tolerations = [dict(each) for container in containers for each in container.program.tolerations]
    tolerations += _NOT_WITHOUT_NODE if companions.host else []
    if tolerations:
        spec["tolerations"] = tolerations
    if scheduler := next((each.program.scheduler_name for each in containers if each.program.scheduler_name), None):
        spec["schedulerName"] = scheduler
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _others(companions: Companions) -> Mapping[str, str]:
    """Return the run's own names without that of the pod itself, which its own address has."""
    own = companions.host.name if companions.host else ""
    return {name: address for name, address in companions.addresses.items() if name != own}


def grace_of(step: Step, sidecars: Sequence[Step] = ()) -> float:
    """Return the seconds that the pod of a step may take to end, and `sidecars` with it."""
    if isinstance(step, Service):
        return step.grace
    return COLLECT_SECONDS + sum(each.grace for each in sidecars if isinstance(each, Service))


def _collector(companions: Companions, containers: Sequence[ContainerSpec]) -> Manifest:
    mounts = [
        mount
        for each in containers
        for mount in (
            {"name": f"{each.name}-results", "mountPath": f"{RESULTS}/{each.name}"},
            {"name": f"{each.name}-out", "mountPath": f"{RESULTS}/{each.name}/{OUT.name}"},
        )
    ]
    found = _runner(COLLECTOR, companions, _collector_script(COLLECTOR), [*mounts, ARGUMENTS_MOUNT]) | {
        "restartPolicy": "Always",
        # It reads what any user of the step's image wrote.
        "securityContext": {"runAsUser": _ROOT, "allowPrivilegeEscalation": False},
    }
    with_files = [each for each in containers if placed(each)]
    folders = [f"{each.name}/{folder}" for each in containers for folder in _folders(companions.inputs)]
    if with_files or folders:
        for each in containers:
            found["volumeMounts"].append({"name": f"{each.name}-work", "mountPath": f"{WORKS}/{each.name}"})
        for each in with_files:
            found["volumeMounts"].append({"name": f"{each.name}-placed", "mountPath": f"{FILES}/{each.name}"})
        # The next container is started when this is done.
        found["lifecycle"] = {"postStart": {"exec": {"command": script("agent.collector", "place", *folders)}}}
    return found


def _folders(paths: Iterable[str]) -> list[str]:
    """Return the folders in the working folder that some paths need."""
    found = {str(PurePosixPath(path).parent) for path in paths if not is_absolute(path)}
    return sorted(found - {"."})


def _fetcher(companions: Companions, containers: Sequence[ContainerSpec]) -> Manifest:
    mounts = [{"name": "inputs", "mountPath": str(INPUTS)}] if companions.inputs else []
    mounts += [
        {"name": f"{each.name}-python", "mountPath": f"{PYTHONS}/{each.name}"} for each in containers if each.packages
    ]
    return _runner(FETCHER, companions, _collector_script(FETCHER), [*mounts, ARGUMENTS_MOUNT])


def fetcher_arguments(
    inputs: Iterable[tuple[str, str, str]],
    containers: Sequence[ContainerSpec] = (),
    start: tuple[str, str] | None = None,
) -> list[str]:
    """Return what the collector's program is called with to fetch what the containers of a pod need.

    Args:
        inputs: Name, URL and token of each input.
        containers: The containers.
        start: URL of the word to begin, and the token for it, if they wait for that.
    """
    files = [",".join(("file", *each)) for each in inputs]
    trees = [",".join(("tree", each.name, *each.packages)) for each in containers if each.packages]
    return ["fetch", *files, *trees, *([",".join(("start", "", *start))] if start else [])]


def _collector_script(container: str) -> list[str]:
    return script("agent.collector", f"@{ARGUMENTS / container}")


def _runner(name: str, companions: Companions, command: list[str], mounts: list[dict[str, str]]) -> Manifest:
    return {
        "name": name,
        "image": companions.runner,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "env": [{"name": key, "value": value} for key, value in script_environment().items()],
        "resources": OWN_RESOURCES,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [script_mount(), *mounts],
    }


def _volumes(name: str, containers: Sequence[ContainerSpec], companions: Companions) -> list[Manifest]:
    found = step_volumes(containers)
    found.append({"name": ARGUMENTS_MOUNT["name"], "secret": {"secretName": arguments_name(name)}})
    return found + ([{"name": "inputs", "emptyDir": {}}] if companions.inputs else [])
