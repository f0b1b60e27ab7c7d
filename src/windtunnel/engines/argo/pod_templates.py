"""The templates of a workflow's pods: its driver, its client, what plans that, and what tells the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hera.workflows import Artifact, Container, NoneArchiveStrategy, Parameter, RetryStrategy
from hera.workflows import models as m

from windtunnel.backends.kubernetes.naming import ITERATION, salt_of
from windtunnel.backends.kubernetes.settings import PIP_SECRET, POD_FIELDS, S3_SECRET
from windtunnel.backends.labels import RUN, STEP
from windtunnel.engines.argo.cells import CELL, CELLS
from windtunnel.engines.argo.labels import (
    COMPONENT,
    DRIVE,
    FINISH,
    HEADLINES,
    MAIN,
    OUTPUTS,
    PLAN,
    REPORT,
    VERDICT,
    WAIT,
)
from windtunnel.engines.argo.outputs import report_file
from windtunnel.engines.argo.parameters import PARAMETERS
from windtunnel.engines.argo.pod_patch import ITERATION_PLACEHOLDER, RUN_PLACEHOLDER

_LEAVE_SECONDS = 120
"""How long a driver may take to end its run when its pod is to go."""
_FINISH_SECONDS = 900
_HUB = "/hub"
_OVER = "echo 'this run is over, and its servers are gone: use argo resubmit, which starts a new one' >&2; exit 2"
_NOTHING = '["true"]'
_SALT = salt_of(RUN_PLACEHOLDER)
_PATCH = (
    "{{=sprig.contains(inputs.parameters.run, inputs.parameters.labels) ? '{}' :"
    f" sprig.replace('{_SALT}', sprig.trunc({len(_SALT)}, sprig.sha256sum(inputs.parameters.run)),"
    f" sprig.replace('{RUN_PLACEHOLDER}', inputs.parameters.run,"
    f" sprig.replace('{ITERATION_PLACEHOLDER}', inputs.parameters.iteration,"
    " sprig.b64dec(inputs.parameters.patch))))}}"
)
"""The client's own pod; for a workflow whose labels have its run already (`argo retry`), one that says it is over."""


def plan_pod(strategy: str) -> Container:
    """Return the template of the pod that finds out what the client's pods are."""
    names = ("patch", "iterations", "run", "step", "seconds")
    return _part(PLAN, strategy, outputs=[_output(name) for name in names])


def finish_pod(strategy: str, cells: int = 0) -> Container:
    """Return the template of the pod that tells the verdict; of a matrix, of all its cells."""
    return _part(
        FINISH,
        strategy,
        _FINISH_SECONDS,
        values={"WINDTUNNEL_FAILURES": "{{=sprig.b64enc(workflow.failures)}}"} | ({CELLS: str(cells)} if cells else {}),
        # An exit code is a verdict, which another try would not change; a pod that could not be is none.
        retry_strategy=RetryStrategy(limit=2, retry_policy="OnError"),
        outputs=[_told(name, is_global=True) for name in VERDICT],
    )


def drive_pod(strategy: str, planned: str | None, cells: int = 0) -> Container:
    """Return the template of the pod that drives a run.

    Args:
        strategy: The strategy.
        planned: Digest of the client's pods, if those are planned already.
        cells: How many runs there are, if they are the cells of a matrix.
    """
    own = {CELL: value_of("cell"), CELLS: str(cells)} if cells else {}
    return _part(
        DRIVE,
        strategy,
        values=({"WINDTUNNEL_PLANNED": planned} if planned else {}) | own,
        inputs=inputs_of("planned", "cell") if cells else [],
        env_from=[
            m.EnvFromSource(secret_ref=m.SecretEnvSource(name=name, optional=True)) for name in (S3_SECRET, PIP_SECRET)
        ],
        # What a run of many came to is not what their workflow did.
        outputs=[*(_told(name, is_global=not cells) for name in (*VERDICT, HEADLINES)), _report(is_global=not cells)],
        pod_spec_patch=f'{{"terminationGracePeriodSeconds": {_LEAVE_SECONDS},'
        ' "volumes": [{"name": "hub", "emptyDir": {}}],'
        f' "containers": [{{"name": "{MAIN}", "volumeMounts": [{{"name": "hub", "mountPath": "{_HUB}"}}]}}]}}',
    )


def client_pod() -> Container:
    """Return the template of a client's pod, which all comes from a patch."""
    return Container(
        name="client",
        image="{{workflow.parameters.image}}",
        image_pull_policy="IfNotPresent",
        command=["sh", "-c", _OVER],
        inputs=inputs_of("patch", "run", "step", "seconds", "iteration", "labels"),
        timeout=f"{value_of('seconds')}s",
        labels={RUN: value_of("run"), STEP: value_of("step"), ITERATION: value_of("iteration")},
        # Its containers share their processes, and what Argo would signal holds the pod together: the driver
        # ends the client, in order.
        annotations={f"workflows.argoproj.io/kill-cmd-{name}": _NOTHING for name in (MAIN, WAIT)},
        pod_spec_patch=_PATCH,
    )


def _part(
    name: str,
    strategy: str,
    seconds: int | None = None,
    values: Mapping[str, str] | None = None,
    **options: Any,
) -> Container:
    """Return the template of a pod that runs a part of Windtunnel's."""
    values = dict(values or {}) | {
        "WINDTUNNEL_STRATEGY": strategy,
        "WINDTUNNEL_WORKFLOW": "{{workflow.name}}",
        "WINDTUNNEL_WORKFLOW_UID": "{{workflow.uid}}",
        "WINDTUNNEL_CREATED": "{{workflow.creationTimestamp.s}}",
        "WINDTUNNEL_RUNNER_IMAGE": "{{workflow.parameters.image}}",
        # Encoded: Kubernetes would take two dollars for one in it, and Argo two braces for a name.
        **{
            f"WINDTUNNEL_{each.upper()}": f"{{{{=sprig.b64enc(workflow.parameters.{each})}}}}"
            for each in PARAMETERS
            if each != "image"
        },
    }
    fields = [
        m.EnvVar(name=key, value_from=m.EnvVarSource(field_ref=m.ObjectFieldSelector(field_path=path)))
        for key, path in POD_FIELDS.items()
    ]
    return Container(
        name=name,
        image="{{workflow.parameters.image}}",
        image_pull_policy="IfNotPresent",
        command=["python", "-m", "windtunnel.engines.argo", name],
        env=[*(m.EnvVar(name=key, value=value) for key, value in values.items()), *fields],
        labels={COMPONENT: name},
        resources=m.ResourceRequirements(requests={"cpu": "50m", "memory": "128Mi"}),
        active_deadline_seconds=seconds,
        **options,
    )


def value_of(name: str) -> str:
    """Return what Argo replaces by the value of a template's input."""
    return f"{{{{inputs.parameters.{name}}}}}"


def inputs_of(*names: str) -> list[Parameter]:
    """Return inputs of a template, by their names."""
    return [Parameter(name=name) for name in names]


def _output(name: str, default: str | None = None, global_name: str | None = None) -> Parameter:
    place = m.ValueFrom(path=str(OUTPUTS / name), default=default)
    return Parameter(name=name, value_from=place, global_name=global_name)


def _told(name: str, *, is_global: bool) -> Parameter:
    """Return an output that a pod may end without; a global one is the workflow's too."""
    return _output(name, default="", global_name=name if is_global else None)


def _report(*, is_global: bool) -> Artifact:
    return Artifact(
        name=REPORT,
        path=str(report_file()),
        optional=True,
        archive=NoneArchiveStrategy(),
        global_name=REPORT if is_global else None,
    )
