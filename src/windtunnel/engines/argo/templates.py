"""The WorkflowTemplates of our strategies, by Hera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hera.workflows import (
    DAG,
    Artifact,
    Container,
    NoneArchiveStrategy,
    Parameter,
    RetryStrategy,
    Step,
    Steps,
    Task,
    WorkflowTemplate,
)
from hera.workflows import models as m

from windtunnel.backends.kubernetes.naming import ITERATION, salt_of
from windtunnel.backends.kubernetes.settings import PIP_SECRET, POD, POD_UID, S3_SECRET
from windtunnel.backends.labels import RUN, STEP
from windtunnel.content import sample
from windtunnel.engines.argo.labels import (
    ACCOUNT,
    CLIENTS,
    COMPONENT,
    DRIVE,
    END,
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
from windtunnel.engines.argo.pod_patch import ITERATION_PLACEHOLDER, RUN_PLACEHOLDER, digest

LONGEST_SECONDS = 7 * 24 * 3600
"""How long a workflow of a template may take: its benchmark, which it gets later, has a timeout of its own."""
KEPT_SECONDS = 7 * 24 * 3600
"""How long a workflow that is over stays to be looked at; its pods go at once."""
_COLLECT_DELAY = "5s"
_LEAVE_SECONDS = 120
"""How long a driver may take to end its run when its pod is to go."""
_FINISH_SECONDS = 900
_HUB = "/hub"
_OVER = "echo 'this run is over, and its servers are gone: use argo resubmit, which starts a new one' >&2; exit 2"
_NOTHING = '["true"]'
_OUTPUT = "(workflow.outputs?.parameters ?? {{}})['{}']".format
"""An output of the workflow; nothing where it has none: what Argo cannot find, it cannot judge either."""
_MOMENT = (
    "sprig.dateInZone('20060102-150405', int({created}), 'UTC') + '-' + sprig.trunc(4, sprig.replace('-', '', {uid}))"
).format
"""The end of a run's id, as `parameters.run_name` finds it."""
_OWN = _MOMENT(created="workflow.creationTimestamp.s", uid="workflow.uid")
_IS_WELL = f"workflow.failures == '\"null\"' && {_OUTPUT('exit-code')} == '0' && {_OUTPUT('run')} endsWith ({_OWN})"
"""Whether no part failed, and the driver has told that this workflow's own run is well: of a workflow that was
resubmitted with ``--memoized`` Argo has the outputs of another run."""
_SALT = salt_of(RUN_PLACEHOLDER)
_PATCH = (
    "{{=sprig.contains(inputs.parameters.run, inputs.parameters.labels) ? '{}' :"
    f" sprig.replace('{_SALT}', sprig.trunc({len(_SALT)}, sprig.sha256sum(inputs.parameters.run)),"
    f" sprig.replace('{RUN_PLACEHOLDER}', inputs.parameters.run,"
    f" sprig.replace('{ITERATION_PLACEHOLDER}', inputs.parameters.iteration,"
    " sprig.b64dec(inputs.parameters.patch))))}}"
)
"""The client's own pod; for a workflow whose labels have its run already (`argo retry`), one that says it is over."""


def template(strategy: str, planned: Mapping[str, str] | None = None) -> WorkflowTemplate:
    """Return the WorkflowTemplate that runs any benchmark of a strategy; unless told otherwise, its sample.

    Args:
        strategy: The strategy.
        planned: The client of the only benchmark that it is to run, as `pod_patch.planned` finds it: it needs no
            pod to find it then.
    """
    defaults = {"benchmark": sample(strategy), "image": "windtunnel", "strict": "false", "fetch": "false"}
    with WorkflowTemplate(
        name=strategy,
        entrypoint="main",
        on_exit=END,
        service_account_name=ACCOUNT,
        active_deadline_seconds=LONGEST_SECONDS,
        pod_gc=m.PodGC(strategy="OnWorkflowCompletion", delete_delay_duration=_COLLECT_DELAY),
        ttl_strategy=m.TTLStrategy(seconds_after_completion=KEPT_SECONDS),
        labels={"app.kubernetes.io/part-of": "windtunnel"},
        arguments=[
            Parameter(name=name, value=defaults.get(name, ""), description=words) for name, words in PARAMETERS.items()
        ],
    ) as found:
        drive, client = _drive(strategy, digest(planned) if planned else None), _client()
        finish = _finish(strategy)
        clients = _submitted(client, planned) if planned else _found(client, _plan(strategy))
        # A DAG, since of a workflow that is terminated, whose exit handler does not run, Argo fails DAGs by themselves.
        with DAG(name="main"):
            Task(name=DRIVE, template=drive)
            Task(name=CLIENTS, template=clients)
        # Steps, since of a workflow that is stopped Argo takes a DAG for failed before its pods have run.
        with Steps(name=END):
            Step(name=FINISH, template=finish, when=f"{{{{=!({_IS_WELL})}}}}")
    return found


def _run_expression(benchmark: str) -> str:
    """Return the expression by which Argo finds a run's id, as `parameters.run_name` does."""
    return f"'{benchmark[:40]}-' + " + _MOMENT(created="inputs.parameters.created", uid="inputs.parameters.uid")


def _found(client: Container, plan: Container) -> Steps:
    """Return the client's iterations as a pod finds them."""
    with Steps(name=CLIENTS, parallelism=1, fail_fast=True) as clients:
        planned = Step(name=PLAN, template=plan)
        given = {name: str(planned.get_parameter(name).value) for name in ("patch", "run", "step", "seconds")}
        _iterations(client, given, str(planned.get_parameter("iterations").value))
    return clients


def _submitted(client: Container, planned: Mapping[str, str]) -> Steps:
    """Return the client's iterations as the submitter found them."""
    own = {"created": "{{workflow.creationTimestamp.s}}", "uid": "{{workflow.uid}}"}
    inputs = [Parameter(name=name, value=value) for name, value in own.items()]
    with Steps(name=CLIENTS, parallelism=1, fail_fast=True, inputs=inputs) as clients:
        given = {name: planned[name] for name in ("patch", "step", "seconds")}
        _iterations(client, given | {"run": f"{{{{={_run_expression(planned['benchmark'])}}}}}"}, planned["iterations"])
    return clients


def _iterations(client: Container, given: Mapping[str, str], iterations: str) -> None:
    arguments = {**given, "iteration": "{{item}}", "labels": "{{workflow.labels.json}}"}
    Step(name="client", template=client, arguments=arguments, with_param=iterations)


def _plan(strategy: str) -> Container:
    names = ("patch", "iterations", "run", "step", "seconds")
    return _part(PLAN, strategy, outputs=[_output(name) for name in names])


def _finish(strategy: str) -> Container:
    return _part(
        FINISH,
        strategy,
        _FINISH_SECONDS,
        values={"WINDTUNNEL_FAILURES": "{{=sprig.b64enc(workflow.failures)}}"},
        # An exit code is a verdict, which another try would not change; a pod that could not be is none.
        retry_strategy=RetryStrategy(limit=2, retry_policy="OnError"),
        outputs=[_global(name) for name in VERDICT],
    )


def _drive(strategy: str, planned: str | None) -> Container:
    return _part(
        DRIVE,
        strategy,
        values={"WINDTUNNEL_PLANNED": planned} if planned else {},
        env_from=[
            m.EnvFromSource(secret_ref=m.SecretEnvSource(name=name, optional=True)) for name in (S3_SECRET, PIP_SECRET)
        ],
        outputs=[*(_global(name) for name in (*VERDICT, HEADLINES)), _report()],
        pod_spec_patch=f'{{"terminationGracePeriodSeconds": {_LEAVE_SECONDS},'
        ' "volumes": [{"name": "hub", "emptyDir": {}}],'
        f' "containers": [{{"name": "{MAIN}", "volumeMounts": [{{"name": "hub", "mountPath": "{_HUB}"}}]}}]}}',
    )


def _client() -> Container:
    names = ("patch", "run", "step", "seconds", "iteration", "labels")
    label = "{{{{inputs.parameters.{}}}}}".format
    return Container(
        name="client",
        image="{{workflow.parameters.image}}",
        image_pull_policy="IfNotPresent",
        command=["sh", "-c", _OVER],
        inputs=[Parameter(name=name) for name in names],
        timeout=f"{label('seconds')}s",
        labels={RUN: label("run"), STEP: label("step"), ITERATION: label("iteration")},
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
    command: Sequence[str] = (),
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
    own = {POD: "metadata.name", POD_UID: "metadata.uid"}
    fields = [
        m.EnvVar(name=key, value_from=m.EnvVarSource(field_ref=m.ObjectFieldSelector(field_path=path)))
        for key, path in own.items()
    ]
    return Container(
        name=name,
        image="{{workflow.parameters.image}}",
        image_pull_policy="IfNotPresent",
        command=list(command) or ["python", "-m", "windtunnel.engines.argo", name],
        env=[*(m.EnvVar(name=key, value=value) for key, value in values.items()), *fields],
        labels={COMPONENT: name},
        resources=m.ResourceRequirements(requests={"cpu": "50m", "memory": "128Mi"}),
        active_deadline_seconds=seconds,
        **options,
    )


def _output(name: str, **options: Any) -> Parameter:
    return Parameter(name=name, value_from=m.ValueFrom(path=str(OUTPUTS / name)), **options)


def _report() -> Artifact:
    return Artifact(
        name=REPORT,
        path=str(report_file()),
        optional=True,
        archive=NoneArchiveStrategy(),
        global_name=REPORT,
    )


def _global(name: str) -> Parameter:
    return Parameter(name=name, value_from=m.ValueFrom(path=str(OUTPUTS / name), default=""), global_name=name)
