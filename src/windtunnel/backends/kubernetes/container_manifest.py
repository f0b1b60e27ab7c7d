"""A step's own container in its pod, and the volumes that it has for itself. No I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from windtunnel.backends.agent.places import ARGUMENTS
from windtunnel.backends.containers import OUT, PYTHON, RESULTS, WORK
from windtunnel.backends.kubernetes.container_spec import ContainerSpec
from windtunnel.backends.kubernetes.manifests import Manifest, script_mount
from windtunnel.backends.kubernetes.sealing import is_sealed, scratch_mounts, security
from windtunnel.plan import Probe, Program

PROBE_SECONDS = 5
"""How long Kubernetes waits for the answer of a server in its client's pod, each time."""
ARGUMENTS_MOUNT: Manifest = {"name": "windtunnel-arguments", "mountPath": str(ARGUMENTS), "readOnly": True}
OWN_RESOURCES = {"requests": {"cpu": "10m", "memory": "32Mi"}}
"""What our own programs in a pod ask for."""
_SHM = "/dev/shm"  # noqa: S108 - the container's


def step_container(container: ContainerSpec, inputs: Mapping[str, str]) -> Manifest:
    """Return a step's container.

    Args:
        container: The container.
        inputs: Path to the name of an input at the hub.
    """
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
                if is_absolute(path)
            ),
            *(
                {"name": "inputs", "mountPath": str(WORK / path), "subPath": key, "readOnly": True}
                for path, key in inputs.items()
            ),
        ],
    }
    if container.packages:
        found["volumeMounts"].append({"name": f"{name}-python", "mountPath": str(PYTHON), "readOnly": True})
    if container.installs:
        mounts = [script_mount(), ARGUMENTS_MOUNT, {"name": f"{name}-python", "mountPath": str(PYTHON)}]
        found |= {"resources": OWN_RESOURCES, "volumeMounts": found["volumeMounts"] + mounts}
    if is_sealed(container.program):
        found["securityContext"] = security()
        found["volumeMounts"] += scratch_mounts(name)
    if container.program.shm and not container.installs:
        found["volumeMounts"].append({"name": f"{name}-shm", "mountPath": _SHM})
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


def step_volumes(containers: Sequence[ContainerSpec]) -> list[Manifest]:
    """Return the volumes of a pod's containers that they have for themselves."""
    found: list[Manifest] = [
        {"name": f"{each.name}-{part}", "emptyDir": {}} for each in containers for part in ("work", "results", "out")
    ]
    for each in containers:
        if each.packages or each.installs:
            found.append({"name": f"{each.name}-python", "emptyDir": {}})
        if each.program.shm and not each.installs:
            memory = {"medium": "Memory", "sizeLimit": str(round(each.program.shm))}
            found.append({"name": f"{each.name}-shm", "emptyDir": memory})
        if each.files:
            found.append({"name": f"{each.name}-files", **each.hidden.volume(each.config)})
        if paths := placed(each):
            items = [{"key": key, "path": str(PurePosixPath(path))} for path, key in paths.items()]
            found.append({"name": f"{each.name}-placed", **each.hidden.volume(each.config, items)})
    return found


def placed(container: ContainerSpec) -> dict[str, str]:
    """Return the files that go into the working folder, which are the step's to change."""
    return {path: key for path, key in container.files.items() if not is_absolute(path)}


def is_absolute(path: str) -> bool:
    """Tell whether a path is not one below the working folder."""
    return PurePosixPath(path).is_absolute()


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
