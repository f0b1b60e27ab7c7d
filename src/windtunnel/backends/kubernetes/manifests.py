"""What a run's objects are made of, as the API takes them: no I/O."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from windtunnel.backends.agent.places import CLAIM, HUB, KEY, PORT, SCRIPTS
from windtunnel.backends.kubernetes.naming import WARDEN, Naming
from windtunnel.backends.kubernetes.settings import ACCOUNT
from windtunnel.backends.labels import RUN, STEP

_PACKAGE = Path(__file__).parents[2]
_AGENT = ("__main__", "collector", "request_handlers", "dial_out", "host_facts", "hub", "places", "protocol", "usage")
_POD = ("kill", "lease", "seal", "standby")
_SCRIPTS = (
    "backends/network_probe.py",
    *(f"backends/agent/{name}.py" for name in _AGENT),
    *(f"backends/kubernetes/pod/{name}.py" for name in _POD),
)
Manifest = dict[str, Any]
ApiCall = tuple[str, str, Any]
"""A call of the API: its method, its path with its query, and its body, or None."""


@dataclass(frozen=True)
class WardenSpec:
    """What a warden is made with.

    Attributes:
        image: Its image.
        seconds: When it ends everything at the latest, from now on.
        lease: How many seconds it goes on without the driver.
        claim: The volume claim that it writes to, if it does.
        last_calls: Calls of the API that it makes when the driver is lost: method, path and body each.
    """

    image: str
    seconds: float
    lease: float
    claim: str | None = None
    last_calls: Sequence[ApiCall] = ()


def owner_reference(job: Mapping[str, Any]) -> Manifest:
    """Return what makes an object go with a Job."""
    return {"apiVersion": "batch/v1", "kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"]}


def warden_job(naming: Naming, wanted: WardenSpec, lease_path: str, seconds: float) -> Manifest:
    """Return the Job that owns everything: it ends when its pod does, or after so many seconds, and goes then."""
    name = naming.home
    env = {
        "WINDTUNNEL_LEASE": lease_path,
        "WINDTUNNEL_LEASE_SECONDS": str(wanted.lease),
        "WINDTUNNEL_LAST_CALLS": json.dumps(wanted.last_calls),
    }
    container: Manifest = {
        "name": WARDEN,
        "image": wanted.image,
        "imagePullPolicy": "IfNotPresent",
        "command": script("kubernetes.pod.lease"),
        "env": [{"name": key, "value": value} for key, value in (env | script_environment()).items()],
        "ports": [{"containerPort": PORT}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [
            script_mount(),
            {"name": "key", "mountPath": str(KEY.parent), "readOnly": True},
            {"name": "hub", "mountPath": str(HUB)},
        ],
    }
    pod: Manifest = {
        "serviceAccountName": ACCOUNT,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65534, "runAsGroup": 65534, "fsGroup": 65534},
        "containers": [container],
        "volumes": [
            script_volume(naming),
            {"name": "key", "secret": {"secretName": name}},
            {"name": "hub", "emptyDir": {}},
        ],
    }
    if wanted.claim:
        container["volumeMounts"].append({"name": "claim", "mountPath": str(CLAIM)})
        pod["volumes"].append({"name": "claim", "persistentVolumeClaim": {"claimName": wanted.claim}})
        # A volume that is this group's already is not walked through.
        pod["securityContext"]["fsGroupChangePolicy"] = "OnRootMismatch"
    template = naming.metadata(name)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": naming.metadata(name),
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": round(seconds),
            "ttlSecondsAfterFinished": 0,
            "template": {
                "metadata": {"labels": template["labels"], "annotations": template["annotations"]},
                "spec": pod,
            },
        },
    }


def lease(naming: Naming, seconds: float) -> Manifest:
    """Return the Lease that the driver renews."""
    now = micro_time()
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": naming.metadata(naming.home),
        "spec": {
            "holderIdentity": naming.labels.run_id,
            "leaseDurationSeconds": round(seconds),
            "acquireTime": now,
            "renewTime": now,
        },
    }


def micro_time() -> str:
    """Return the time as a Lease has it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def run_key(naming: Naming, key: bytes) -> Manifest:
    """Return the Secret with the run's key, which only the warden's pod mounts."""
    data = {KEY.name: base64.b64encode(key).decode("ascii")}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": naming.metadata(naming.home), "data": data}


def arguments_name(pod: str) -> str:
    """Return what the Secret is called with what the agent's programs in a pod are called with."""
    return f"{pod}-arguments"


def arguments(naming: Naming, pod: str, step: str, words: Mapping[str, Sequence[object]]) -> Manifest:
    """Return the Secret with what the agent's programs in a pod are called with.

    Its tokens let their bearer pass for the pod: they are not for all who may look at pods.

    Args:
        naming: The run's names.
        pod: The pod's name.
        step: The step that the pod belongs to.
        words: The arguments by the container's name.
    """
    texts = {container: json.dumps(each) for container, each in words.items()}
    return secret(naming, arguments_name(pod), step, texts)


def secret(naming: Naming, name: str, step: str, texts: Mapping[str, str]) -> Manifest:
    """Return a Secret of a step's."""
    metadata = naming.metadata(name, step)
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": dict(texts)}


def scripts(naming: Naming) -> Manifest:
    """Return the ConfigMap of the programs that run beside steps: this version's, whatever the image has."""
    data = {place.replace("/", "."): (_PACKAGE / place).read_text(encoding="utf-8") for place in _SCRIPTS}
    return config_map(naming, naming.home, None, data)


def config_map(naming: Naming, name: str, step: str | None, data: Mapping[str, str]) -> Manifest:
    """Return a ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": naming.metadata(name, step), "data": dict(data)}


def script_volume(naming: Naming) -> Manifest:
    """Return the volume of a pod that runs one of our programs."""
    # Without an __init__.py these are namespace packages: nothing else of Windtunnel is needed.
    items = [{"key": place.replace("/", "."), "path": f"windtunnel/{place}"} for place in _SCRIPTS]
    return {"name": "windtunnel-scripts", "configMap": {"name": naming.home, "items": items}}


def script_mount() -> Manifest:
    """Return the mount of that volume."""
    return {"name": "windtunnel-scripts", "mountPath": str(SCRIPTS), "readOnly": True}


def script(program: str, *arguments: str) -> list[str]:
    """Return the command that runs one of the agent's programs; -S keeps an installed Windtunnel out of its way."""
    return ["python3", "-S", "-m", "windtunnel.backends.agent", program, *arguments]


def script_environment() -> dict[str, str]:
    """Return what our programs need to be found."""
    return {"PYTHONPATH": str(SCRIPTS), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}


def service(naming: Naming, name: str, step: str, selector: Mapping[str, str], ports: Sequence[int]) -> Manifest:
    """Return a Service; without ports, one that is only a name.

    Its addresses are published before its pods are ready: readiness is asked here, and by then
    every node has the rules.
    """
    spec: Manifest = {"selector": dict(selector), "publishNotReadyAddresses": True}
    if ports:
        spec["ports"] = [{"name": f"port-{port}", "port": port, "targetPort": port} for port in ports]
    else:
        spec["clusterIP"] = "None"
    return {"apiVersion": "v1", "kind": "Service", "metadata": naming.metadata(name, step), "spec": spec}


def step_selector(naming: Naming, step: str, extra: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
    """Return the labels that select a step's pods."""
    return {RUN: naming.labels.run_id, STEP: step, **dict(extra)}
