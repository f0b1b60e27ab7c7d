"""The WorkflowTemplates of our strategies, by Hera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hera.workflows import DAG, Container, Parameter, Step, Steps, Task, WorkflowTemplate
from hera.workflows import models as m

from windtunnel.content import sample
from windtunnel.engines.argo.cells import LONGEST_NAME, task_name
from windtunnel.engines.argo.labels import ACCOUNT, CLIENTS, DRIVE, END, FINISH, PLAN
from windtunnel.engines.argo.parameters import PARAMETERS
from windtunnel.engines.argo.pod_patch import digest
from windtunnel.engines.argo.pod_templates import client_pod, drive_pod, finish_pod, inputs_of, plan_pod, value_of

LONGEST_SECONDS = 7 * 24 * 3600
"""How long a workflow of a template may take: its benchmark, which it gets later, has a timeout of its own."""
KEPT_SECONDS = 7 * 24 * 3600
"""How long a workflow that is over stays to be looked at; its pods go at once."""
_COLLECT_DELAY = "5s"
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
_GOES_ON = m.ContinueOn(failed=True, error=True)
_PLANNED = ("patch", "step", "seconds", "iterations")


def template(strategy: str, planned: Mapping[str, str] | None = None) -> WorkflowTemplate:
    """Return the WorkflowTemplate that runs any benchmark of a strategy; unless told otherwise, its sample.

    Args:
        strategy: The strategy.
        planned: The client of the only benchmark that it is to run, as `pod_patch.planned` finds it: it needs no
            pod to find it then.
    """
    with _outline(strategy, END) as found:
        drive, client = drive_pod(strategy, digest(planned) if planned else None), client_pod()
        finish = finish_pod(strategy)
        clients = _submitted(client, planned) if planned else _found(client, plan_pod(strategy))
        # A DAG, since of a workflow that is terminated, whose exit handler does not run, Argo fails DAGs by themselves.
        with DAG(name="main"):
            Task(name=DRIVE, template=drive)
            Task(name=CLIENTS, template=clients)
        # Steps, since of a workflow that is stopped Argo takes a DAG for failed before its pods have run.
        with Steps(name=END):
            Step(name=FINISH, template=finish, when=f"{{{{=!({_IS_WELL})}}}}")
    return found


def sweep_template(strategy: str, cells: Sequence[Mapping[str, str]], titles: Sequence[str]) -> WorkflowTemplate:
    """Return the WorkflowTemplate that runs the cells of a matrix one after the other, each as `template` runs one.

    A cell that fails ends itself alone. `finish` alone judges, when all are over: the workflow fails with its message.

    Args:
        strategy: The strategy of all cells.
        cells: The client of each cell, as `pod_patch.planned` finds it.
        titles: What each cell is, for people.
    """
    with _outline(strategy, FINISH) as found:
        finish_pod(strategy, len(cells))
        cell = _cell(drive_pod(strategy, value_of("planned"), len(cells)), client_pod())
        with DAG(name="main"):
            for number, (planned, title) in enumerate(zip(cells, titles, strict=True), start=1):
                given = {name: planned[name] for name in _PLANNED} | {
                    "benchmark": planned["benchmark"][:LONGEST_NAME],
                    "planned": digest(planned),
                    "cell": str(number),
                    "values": title.replace("{{", "{ {"),
                }
                before = [task_name(number - 1)] if number > 1 else []
                Task(name=task_name(number), template=cell, arguments=given, dependencies=before, continue_on=_GOES_ON)
    return found


def _cell(drive: Container, client: Container) -> DAG:
    """Return the template of a cell: its driver, and beside it its client's iterations."""
    with Steps(name=CLIENTS, parallelism=1, fail_fast=True, inputs=inputs_of(*_PLANNED, "run")) as clients:
        _iterations(
            client, {name: value_of(name) for name in ("patch", "step", "seconds", "run")}, value_of("iterations")
        )
    inputs = [*inputs_of(*_PLANNED, "benchmark", "planned", "cell", "values"), *_moment()]
    moment = _MOMENT(created="inputs.parameters.created", uid="inputs.parameters.uid")
    run = f"{{{{=inputs.parameters.benchmark + '-' + {moment} + '-' + inputs.parameters.cell}}}}"
    with DAG(name="cell", inputs=inputs) as cell:
        Task(name=DRIVE, template=drive, arguments={name: value_of(name) for name in ("planned", "cell")})
        Task(name=CLIENTS, template=clients, arguments={name: value_of(name) for name in _PLANNED} | {"run": run})
    return cell


def _outline(strategy: str, on_exit: str) -> WorkflowTemplate:
    """Return what all WorkflowTemplates have, without their templates."""
    defaults = {"benchmark": sample(strategy), "image": "windtunnel", "strict": "false", "fetch": "false"}
    return WorkflowTemplate(
        name=strategy,
        entrypoint="main",
        on_exit=on_exit,
        service_account_name=ACCOUNT,
        active_deadline_seconds=LONGEST_SECONDS,
        pod_gc=m.PodGC(strategy="OnWorkflowCompletion", delete_delay_duration=_COLLECT_DELAY),
        ttl_strategy=m.TTLStrategy(seconds_after_completion=KEPT_SECONDS),
        labels={"app.kubernetes.io/part-of": "windtunnel"},
        arguments=[
            Parameter(name=name, value=defaults.get(name, ""), description=words) for name, words in PARAMETERS.items()
        ],
    )


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
    with Steps(name=CLIENTS, parallelism=1, fail_fast=True, inputs=_moment()) as clients:
        given = {name: planned[name] for name in ("patch", "step", "seconds")}
        _iterations(client, given | {"run": f"{{{{={_run_expression(planned['benchmark'])}}}}}"}, planned["iterations"])
    return clients


def _iterations(client: Container, given: Mapping[str, str], iterations: str) -> None:
    arguments = {**given, "iteration": "{{item}}", "labels": "{{workflow.labels.json}}"}
    Step(name="client", template=client, arguments=arguments, with_param=iterations)


def _moment() -> list[Parameter]:
    """Return the inputs of which a run's id is made, as Argo has them."""
    own = {"created": "{{workflow.creationTimestamp.s}}", "uid": "{{workflow.uid}}"}
    return [Parameter(name=name, value=value) for name, value in own.items()]
