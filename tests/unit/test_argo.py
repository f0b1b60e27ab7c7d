"""What a run of Argo's is made of: planned, rendered and refused without a cluster."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from windtunnel.backends.containers import with_ports
from windtunnel.backends.kubernetes.install import path_of
from windtunnel.backends.kubernetes.naming import Naming, salt_of
from windtunnel.backends.labels import RunLabels
from windtunnel.benchmark import Loaded, parse
from windtunnel.engines.argo import drive
from windtunnel.engines.argo.build import build_workflow
from windtunnel.engines.argo.install import manifests
from windtunnel.engines.argo.parameter_values import ParameterText, benchmark_of
from windtunnel.engines.argo.parameters import PARAMETERS, WorkflowParameters, check_plan, run_name
from windtunnel.engines.argo.pod_gate import GatedPods
from windtunnel.engines.argo.pod_patch import (
    ACCOUNT_FOLDER,
    GATE,
    ITERATION_PLACEHOLDER,
    RUN_PLACEHOLDER,
    digest,
    patch,
    planned,
)
from windtunnel.engines.argo.templates import template
from windtunnel.errors import DescriptorError, PlanError, Unsupported, UsageError
from windtunnel.plan import Job, Plan, Service
from windtunnel.strategies import STRATEGIES, make_plan

TEMPLATES = Path(__file__).parents[2] / "argo_templates"
UID = "0f5c1a52-1111-2222-3333-444455556666"
TEXT = """spec_version = "1"
[benchmark]
name = "bench"
strategy = "client-server"
[server]
image = "server:1"
command = ["serve", "$PORT"]
port = 0
PLACEMENT
[client]
image = "client:1"
command = ["measure", "$SERVER_URL", "$ITERATION", "$$x", "{{y}}"]
files = { "a.txt" = "{{y}} $ITERATION" }
[[inputs]]
src = "https://example.org/data"
path = "data"
[run]
warmup = 1
repeats = 2
"""
SAME_POD = 'placement = "same-pod"\nready = { http = "/", within = "9s" }'


def given(text: str = TEXT, **parameters: str) -> WorkflowParameters:
    """Return what the pods of a workflow find."""
    values = {"benchmark": text.replace("PLACEMENT", ""), "set": "", "store": "", "strict": "false", "fetch": "false"}
    encoded = {
        f"WINDTUNNEL_{name.upper()}": base64.b64encode(value.encode()).decode()
        for name, value in (values | parameters).items()
    }
    return WorkflowParameters.from_environment(
        encoded
        | {
            "WINDTUNNEL_STRATEGY": "client-server",
            "WINDTUNNEL_WORKFLOW": "bench-abcde",
            "WINDTUNNEL_WORKFLOW_UID": UID,
            "WINDTUNNEL_CREATED": "1767225600",
            "WINDTUNNEL_RUNNER_IMAGE": "runner:1",
        }
    )


def loaded(text: str) -> tuple[Loaded, Plan]:
    """Return a benchmark and its plan."""
    found = parse(text.replace("PLACEMENT", ""), Path("bench.toml"))
    return found, make_plan(found.benchmark)


def client_pod(text: str = TEXT) -> dict[str, Any]:
    """Return the patch of the client's pod."""
    found = given(text)
    naming = Naming.of(RunLabels(found.run_id, found.plan, 0))
    return patch(naming, found.plan, found.job, ITERATION_PLACEHOLDER, "runner:1")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_template_is_rendered_as_it_is_committed(strategy: str) -> None:
    """`python tests/golden/renew.py` renders them again."""
    committed = (TEMPLATES / f"{STRATEGIES[strategy].module}.yaml").read_text(encoding="utf-8")

    assert yaml.safe_load(committed) == template(strategy).to_dict()


def test_a_template_gives_every_container_a_command_and_every_parameter_to_its_pods() -> None:
    """Without a command, Argo's controller asks a registry for the image's."""
    found = template("client-server").to_dict()["spec"]
    containers = [each["container"] for each in found["templates"] if "container" in each]

    assert len(containers) == 4
    assert all(container["command"] for container in containers)
    assert {each["name"] for each in found["arguments"]["parameters"]} == set(PARAMETERS)
    assert found["podGC"]["strategy"] == "OnWorkflowCompletion"


def test_what_is_installed_is_at_the_apis_path_of_its_kind() -> None:
    """In the namespace, in a group, and for a whole cluster."""
    assert {path_of(each) for each in manifests("bench")} >= {
        "/api/v1/namespaces/bench/serviceaccounts/windtunnel-argo",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/bench/roles/windtunnel-argo",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/windtunnel-nodes-bench",
        "/apis/argoproj.io/v1alpha1/namespaces/bench/workflowtemplates/client-server",
    }


def test_all_pods_of_a_workflow_find_the_same_run() -> None:
    """Its id is a DNS label that sorts by time, and ports are chosen once."""
    first, second = given(), given()

    assert first.run_id == second.run_id == "bench-20260101-000000-0f5c"
    assert first.plan == second.plan
    (server,) = (step for step in first.plan.steps if isinstance(step, Service))
    assert server.port
    assert run_name("b" * 60, 0, UID) == f"{'b' * 40}-19700101-000000-0f5c"


def test_ports_that_are_given_stay() -> None:
    """Only those that are any free one are chosen; no two are the same."""
    steps = [
        Service(**{**vars(step), "name": f"server-{number}", "port": port})
        for number, port in enumerate((0, 80, 0))
        for step in make_plan(given().loaded.benchmark).steps
        if isinstance(step, Service)
    ]
    plan = with_ports(Plan(benchmark="b", strategy="client-server", timeout=1, steps=tuple(steps)), "seed")
    first, fixed, last = (step.port for step in plan.steps if isinstance(step, Service))

    assert fixed == 80
    assert first != last
    assert 0 not in {first, last}


@pytest.mark.parametrize("text", [TEXT, TEXT.replace("PLACEMENT", SAME_POD)], ids=["apart", "same-pod"])
def test_a_clients_pod_waits_for_its_driver_and_has_no_token(text: str) -> None:
    """All containers but Argo's own have an empty folder where it would be; what the driver alone knows is mounted."""
    found = client_pod(text)
    main, argos = found["containers"]
    own = [*found["initContainers"], main]

    assert found["schedulingGates"] == [{"name": GATE}]
    assert (main["name"], argos["name"]) == ("main", "wait")
    assert argos["securityContext"]["runAsNonRoot"] is True
    assert all(ACCOUNT_FOLDER in {mount["mountPath"] for mount in container["volumeMounts"]} for container in own)
    assert "automountServiceAccountToken" not in found
    assert "restartPolicy" not in found
    collector = next(each for each in found["initContainers"] if each["name"] == "windtunnel-collector")
    assert collector["command"][-1].startswith("@/windtunnel-arguments/")
    assert any("secret" in volume for volume in found["volumes"])
    assert ("server" in {each["name"] for each in found["initContainers"]}) == ("same-pod" in text)


def test_a_clients_pod_is_planned_once_for_all_runs_and_iterations() -> None:
    """What stands for the run and the iteration is in its names, its command and its environment, and nothing else."""
    found = given()
    naming = Naming.of(RunLabels(found.run_id, found.plan, 0))
    text = base64.b64decode(planned(found.plan, "runner:1")["patch"]).decode()
    for mark, value in (
        (ITERATION_PLACEHOLDER, "3"),
        (RUN_PLACEHOLDER, found.run_id),
        (salt_of(RUN_PLACEHOLDER), naming.salt),
    ):
        text = text.replace(str(mark), value)
    replaced = json.loads(text)

    assert replaced == patch(naming, found.plan, found.job, 3, "runner:1")
    assert json.loads(planned(found.plan, "runner:1")["iterations"]) == ["1", "2", "3"]
    main = replaced["containers"][0]
    assert main["command"][2:] == ["3", "$$x", "{{y}}"]
    assert "{{" not in text
    assert {"name": "ITERATION", "value": "3"} in main["env"]


@pytest.mark.parametrize("mark", [str(ITERATION_PLACEHOLDER), RUN_PLACEHOLDER, salt_of(RUN_PLACEHOLDER)])
def test_a_text_that_stands_for_something_is_refused(mark: str) -> None:
    """It would be replaced in the benchmark, too."""
    with pytest.raises(PlanError, match=f"{mark} cannot be in a benchmark"):
        planned(given(TEXT.replace("measure", mark)).plan, "runner:1")


LONG = "".join(sha256(str(number).encode()).hexdigest() for number in range(700))
"""A word that cannot be compressed to less than half."""


@pytest.mark.parametrize(("word", "repeats", "fits"), [("x", 2000, 1), ("x", 9000, 0), (LONG, 5, 1), (LONG, 60, 0)])
def test_iterations_that_argo_could_not_keep_are_refused(word: str, repeats: int, fits: int) -> None:
    """Before anything begins: it keeps what each pod was made of, in one object, and gives up what is too large."""
    found, plan = loaded(TEXT.replace("$$x", word).replace("repeats = 2", f"repeats = {repeats}"))
    if fits:
        assert len(json.loads(planned(plan, "runner:1")["iterations"])) == repeats + 1
    else:
        with pytest.raises(PlanError, match="iterations are too many for one workflow"):
            build_workflow(found, plan, options={"store": "s3://bucket/x"})


def test_who_submits_plans_the_clients_pods_and_a_schedule_does_not() -> None:
    """They are those that the driver finds; what fires later may find another version of the image."""
    found, plan = loaded(TEXT)
    once = build_workflow(found, plan, options={"store": "s3://bucket/x", "image": "runner:1"}).made
    nightly = build_workflow(*loaded(TEXT + 'schedule = "0 3 * * *"\n'), options={"store": "s3://bucket/x"}).made
    environment = {
        each["name"]: each.get("value")
        for part in once["spec"]["templates"]
        if part["name"] == "drive"
        for each in part["container"]["env"]
    }

    assert "plan" not in {part["name"] for part in once["spec"]["templates"]}
    assert environment["WINDTUNNEL_PLANNED"] == digest(planned(given().plan, "runner:1"))
    assert "plan" in {part["name"] for part in nightly["spec"]["workflowSpec"]["templates"]}


def test_a_benchmark_is_toml_or_base64() -> None:
    """Two braces and two dollars survive."""
    assert benchmark_of(TEXT) == benchmark_of(base64.encodebytes(TEXT.encode()).decode()) == ParameterText(TEXT)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[client]\n", '[client]\nisolation = "sealed"\n', "client: sealed cannot be kept under Argo"),
        ("PLACEMENT", f'{SAME_POD}\nisolation = "sealed"', "server: sealed cannot be kept .* reach the API server"),
    ],
)
def test_what_argo_cannot_do_is_refused(old: str, new: str, words: str) -> None:
    """Exit 2, before anything is made."""
    _loaded, plan = loaded(TEXT.replace(old, new))
    with pytest.raises(Unsupported, match=words):
        check_plan(plan)


def test_a_server_of_its_own_pods_may_be_sealed() -> None:
    """Its pods are the driver's, and have no container of Argo's."""
    _loaded, plan = loaded(TEXT.replace("PLACEMENT", 'isolation = "sealed"'))
    check_plan(plan)


def test_a_template_takes_benchmarks_of_its_strategy_alone() -> None:
    """And says which one it is."""
    text = TEXT.replace("client-server", "single-node").split("[server]", maxsplit=1)[0]
    with pytest.raises(DescriptorError, match="its strategy is single-node; this is the template client-server"):
        given(text + '[client]\nimage = "i"\ncommand = ["true"]\n')


def test_a_workflow_of_a_benchmark_has_it_and_its_time() -> None:
    """Self-contained; its deadline is the benchmark's, with room for pulls and ends."""
    found, plan = loaded(TEXT)
    made = build_workflow(found, plan, ["run.repeats=3"], options={"store": "s3://bucket/x"}).made
    values = {each["name"]: each["value"] for each in made["spec"]["arguments"]["parameters"]}

    assert made["kind"] == "Workflow"
    assert made["metadata"]["generateName"] == "bench-"
    assert base64.b64decode(values["benchmark"]).decode() == found.text
    assert (values["set"], values["store"]) == ("run.repeats=3", "s3://bucket/x")
    assert plan.timeout < made["spec"]["activeDeadlineSeconds"] < plan.timeout + 2000


@pytest.mark.parametrize(
    "change", [{"benchmark": TEXT.replace('name = "bench"', 'name = "other"')}, {"set": "run.repeats=3"}]
)
def test_a_driver_refuses_what_the_client_was_not_planned_for(change: dict[str, str]) -> None:
    """A parameter that was changed when a rendered workflow was submitted again."""
    pods = digest(planned(given().plan, "runner:1"))
    fitting = replace(given(), planned=pods)
    changed = replace(given(**{key: text.replace("PLACEMENT", "") for key, text in change.items()}), planned=pods)
    labels: dict[str, Any] = {"metadata": {}}

    drive.check(fitting, labels)
    with pytest.raises(UsageError, match="render or submit the benchmark again"):
        drive.check(changed, labels)


def test_a_line_break_in_an_override_is_refused() -> None:
    """A workflow's parameter has one on each line."""
    found, plan = loaded(TEXT)
    with pytest.raises(UsageError, match="cannot have a line break"):
        build_workflow(found, plan, ["client.env.X=a\nb"], options={"store": "s3://bucket/x"})


def test_a_schedule_makes_a_cron_workflow() -> None:
    """In its time zone; never Replace, which would skip the end of the run that it replaces."""
    found, plan = loaded(
        TEXT + 'schedule = "0 3 * * *"\ntimezone = "Europe/Paris"\n[output]\nstore = "s3://bucket/x"\n'
    )
    made = build_workflow(found, plan).made

    assert (made["kind"], made["metadata"]["name"]) == ("CronWorkflow", "bench")
    assert made["spec"]["schedules"] == ["0 3 * * *"]
    assert made["spec"]["timezone"] == "Europe/Paris"
    assert made["spec"]["concurrencyPolicy"] == "Forbid"
    assert made["spec"]["workflowSpec"]["entrypoint"] == "main"


def test_a_folder_keeps_no_run_that_nobody_waits_for() -> None:
    """Exit 2, and what to do; with somebody who waits it is fetched."""
    found, plan = loaded(TEXT)
    with pytest.raises(UsageError, match="--wait"):
        build_workflow(found, plan)

    assert build_workflow(found, plan, options={"fetch": "true"}).made["kind"] == "Workflow"


@pytest.mark.parametrize("begin", [b"", b"2026-11-22T17:00:00.123456789Z "])
def test_the_last_word_of_argos_program_is_none_of_the_commands(begin: bytes) -> None:
    """With a time of its own where the command's last line was not finished."""
    word = b'time="2026-11-22T17:00:00.1Z" level=info msg="sub-process exited" argo=true error="<nil>"\n'
    pods = GatedPods(None, "workflow", "pods", "bench-1")

    assert pods.strip(b"rate=1\n" + begin + word) == b"rate=1\n"
    assert pods.strip(word + b"rate=1\n") == word + b"rate=1\n"


def test_the_one_job_is_the_client() -> None:
    """A workflow has one kind of pods of its own."""
    assert isinstance(given().job, Job)
