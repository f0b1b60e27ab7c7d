"""The base job template of a work pool on Kubernetes: the Job that Prefect's worker makes for each flow run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from windtunnel.backends.kubernetes.settings import PIP_SECRET, POD_FIELDS, RUNNER, S3_SECRET
from windtunnel.engines.prefect import HEARTBEAT_SECONDS

API_SECRET = "windtunnel-prefect"  # noqa: S105 - its name
"""The Secret of variables that a flow's pod reaches Prefect's API by, such as PREFECT_API_AUTH_STRING; it may be
missing."""
LONGEST_SECONDS = 7 * 24 * 3600
"""How long a flow run may take whose benchmark is not known beforehand."""
GRACE_SECONDS = 60
"""How long a flow's pod has to end its run in order."""
KEPT_SECONDS = 3600
"""How long a Job that is over stays to be looked at."""
COMMAND = ("windtunnel", "flow-pod", "--")
"""What a flow's pod begins with; the image has an entry point, which arguments alone would not replace."""
SIGTERM_BEHAVIOR = "PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR"
DEADLINE = "WINDTUNNEL_JOB_SECONDS"
"""The variable by which a flow knows when Kubernetes ends its Job."""
_TMP = "/tmp"  # noqa: S108 - a volume of the pod's own
WORK_FOLDER = "/windtunnel"
"""Where a flow starts; empty, since Prefect copies the folder in which it starts a flow."""
_OFFERED = (
    *("name", "env", "labels", "annotations", "command", "namespace", "image", "image_pull_policy"),
    *("service_account_name", "finished_job_ttl", "cpu_request", "cpu_limit", "memory_request", "memory_limit"),
)
_SECRET_SETTINGS = (
    "PREFECT_API_AUTH_STRING",
    "PREFECT_API_KEY",
    "PREFECT_CLIENT_CUSTOM_HEADERS",
    "PREFECT_SERVER_API_AUTH_STRING",
    "PREFECT_SERVER_DATABASE_CONNECTION_URL",
    "PREFECT_SERVER_DATABASE_PASSWORD",
)
"""Settings of a worker that Prefect would write into each Job as they are."""


def job_template(  # noqa: PLR0913 - each is a default of the template
    *,
    namespace: str,
    image: str = "windtunnel",
    service_account: str = RUNNER,
    api_url: str | None = None,
    image_pull_policy: str = "IfNotPresent",
    image_pull_secrets: Sequence[str] = (),
    node_selector: Mapping[str, str] | None = None,
    deadline: int = LONGEST_SECONDS,
) -> dict[str, Any]:
    """Return a base job template; what is given are defaults, which a deployment's job variables outrank.

    A Job is tried once and its pod is never replaced. What starts the flow hands SIGTERM on to it, and Prefect takes
    that for no reason to run the flow again.

    Args:
        namespace: Where Jobs are made; an account of the name that is given has to be there.
        image: Windtunnel's image; the wardens of a run have the same.
        service_account: The account of flows' pods, which may make what a run needs.
        api_url: The address of Prefect's API as pods see it; None leaves them what the worker has.
        image_pull_policy: ``Always``, ``IfNotPresent`` or ``Never``.
        image_pull_secrets: Names of Secrets.
        node_selector: Labels of the nodes that flows' pods go to; those that are measured on are best left alone.
        deadline: Seconds after which Kubernetes ends a Job.
    """
    # It loads a client of clusters, which takes a second, and which flows that are processes do without.
    from prefect_kubernetes.worker import KubernetesWorkerVariables

    defaults = {
        "namespace": namespace,
        "image": image,
        "service_account_name": service_account,
        "image_pull_policy": image_pull_policy,
        "finished_job_ttl": KEPT_SECONDS,
        "cpu_request": "250m",
        "memory_request": "512Mi",
    }
    offered = KubernetesWorkerVariables.model_json_schema()["properties"]
    properties = {name: offered[name] | _default(defaults.get(name)) for name in _OFFERED}
    properties |= _own_variables(api_url, image_pull_secrets, node_selector or {}, deadline)
    configuration = {name: _variable(name) for name in ("name", "labels", "annotations", "command", "namespace")}
    return {
        "job_configuration": {**configuration, "env": _environment(), "job_manifest": _job()},
        "variables": {"type": "object", "properties": properties},
    }


def _own_variables(
    api_url: str | None, image_pull_secrets: Sequence[str], node_selector: Mapping[str, str], deadline: int
) -> dict[str, Any]:
    """Return the variables that Prefect's own template does not have, as properties of a JSON schema."""
    return {
        "api_url": {
            "type": "string",
            "title": "API URL",
            "description": "The address of Prefect's API as pods see it; else the worker's own.",
        }
        | _default(api_url),
        "deadline": {
            "type": "integer",
            "minimum": 1,
            "title": "Deadline",
            "description": "Seconds after which Kubernetes ends a Job; `windtunnel deploy` sets it by the benchmark.",
            "default": deadline,
        },
        "image_pull_secrets": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
            "title": "Image Pull Secrets",
            "description": "Secrets that the image is pulled with.",
            "default": [{"name": name} for name in image_pull_secrets],
        },
        "node_selector": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "title": "Node Selector",
            "description": "Labels of the nodes that flows' pods go to, best others than those that are measured on.",
            "default": dict(node_selector),
        },
    }


def _environment() -> dict[str, str | None]:
    """Return the variables of a flow's pod that a deployment need not know of; None keeps one of the worker's out."""
    own = {
        # By any other value Prefect starts a flow again whose pod has to go, or leaves its state open.
        SIGTERM_BEHAVIOR: "crash",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
        "PREFECT_API_URL": _variable("api_url"),
        "PREFECT_HOME": f"{_TMP}/prefect",
        "PREFECT_PROFILES_PATH": None,
        "HOME": _TMP,
        "WINDTUNNEL_RUNNER_IMAGE": _variable("image"),
        DEADLINE: _variable("deadline"),
    }
    return own | dict.fromkeys(_SECRET_SETTINGS)


def _job() -> dict[str, Any]:
    """Return the Job; Prefect demands `parallelism` and `completions` where Kubernetes does not know them."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "namespace": _variable("namespace"),
            "generateName": f"{_variable('name')}-",
            "labels": _variable("labels"),
            "annotations": _variable("annotations"),
        },
        "spec": {
            "backoffLimit": 0,
            # Else a pod that ends in order counts as failed at once, and Prefect says that its run has crashed.
            "podReplacementPolicy": "Failed",
            "ttlSecondsAfterFinished": _variable("finished_job_ttl"),
            "activeDeadlineSeconds": _variable("deadline"),
            "template": {
                "metadata": {
                    "annotations": {
                        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
                        "karpenter.sh/do-not-disrupt": "true",
                    }
                },
                "spec": {
                    "parallelism": 1,
                    "completions": 1,
                    "restartPolicy": "Never",
                    "terminationGracePeriodSeconds": GRACE_SECONDS,
                    "serviceAccountName": _variable("service_account_name"),
                    "imagePullSecrets": _variable("image_pull_secrets"),
                    "nodeSelector": _variable("node_selector"),
                    # A Service called prefect-server would set PREFECT_SERVER_PORT, which Prefect takes for its own.
                    "enableServiceLinks": False,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 1000,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [_container()],
                    "volumes": [{"name": name, "emptyDir": {}} for name in ("tmp", "work")],
                },
            },
        },
    }


def _container() -> dict[str, Any]:
    return {
        "name": "prefect-job",
        "image": _variable("image"),
        "imagePullPolicy": _variable("image_pull_policy"),
        "command": list(COMMAND),
        "args": _variable("command"),
        "workingDir": WORK_FOLDER,
        # Prefect puts those of a flow run before these.
        "env": [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in POD_FIELDS.items()],
        "envFrom": [{"secretRef": {"name": name, "optional": True}} for name in (API_SECRET, S3_SECRET, PIP_SECRET)],
        "resources": {
            "requests": {"cpu": _variable("cpu_request"), "memory": _variable("memory_request")},
            "limits": {"cpu": _variable("cpu_limit"), "memory": _variable("memory_limit")},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": _TMP}, {"name": "work", "mountPath": WORK_FOLDER}],
    }


def _default(value: object) -> dict[str, Any]:
    return {} if value is None else {"default": value}


def _variable(name: str) -> str:
    return f"{{{{ {name} }}}}"
