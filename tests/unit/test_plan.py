"""The plan: frozen, checked when it is made, and the same again after JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from windtunnel.errors import PlanError
from windtunnel.plan import InputFile, Job, Liveness, MetricSpec, Plan, Probe, Program, Readiness, Service, Step, Target

READY = Readiness(probe=Probe(kind="tcp"), within=60.0)


def service(name: str, *needs: str, command: str = "serve", **fields: Any) -> Service:
    """Return a small service."""
    return Service(name=name, program=Program(command=(command,)), ready=READY, needs=needs, **fields)


def job(*needs: str, command: str = "measure", env: dict[str, str] | None = None, **fields: Any) -> Job:
    """Return a small job, called client."""
    return Job(name="client", program=Program(command=(command,), env=env or {}), needs=needs, **fields)


def plan(*steps: Step, **fields: Any) -> Plan:
    """Return a plan of these steps."""
    return Plan(benchmark="b", strategy="client-server", timeout=60.0, steps=steps, **fields)


def full_plan() -> Plan:
    """Return a plan in which every field has a value that is not its default."""
    program = Program(command=("serve", "$PORT"), image="i", env={"A": "1"}, files={"f": "x"}, cpu=0.5, memory=2.0**28)
    exec_probe = Probe(kind="exec", command=("ping", "-p", "$PORT"))
    server = Service(
        name="server",
        program=program,
        ready=Readiness(probe=Probe(kind="http", target="/ok", port=123), within=1.5),
        port=0,
        live=Liveness(probe=exec_probe, every=2.0, timeout=1.0, failures=3),
        stop=("shutdown", "$PORT"),
        grace=3.0,
        replicas=2,
        placement="same-pod",
    )
    metric = MetricSpec(name="rate", unit="1/s", better="higher", pattern="(x)", reduce="max")
    client = Job(
        name="client",
        program=Program(command=("measure", "$SERVER_URL")),
        needs=("server",),
        warmup=1,
        repeats=5,
        fresh=True,
        metrics=(metric, MetricSpec(name=None, parser="locust")),
        artifacts=("*.csv",),
    )
    inputs = (InputFile(src="http://127.0.0.1/a", path="a", sha256="0" * 64),)
    return plan(server, client, labels={"team": "a"}, inputs=inputs, target=Target(name="box", within=2.0))


def test_a_plan_survives_json() -> None:
    """A plan read back from JSON text is equal, with every field."""
    original = full_plan()
    assert Plan.from_json(json.loads(json.dumps(original.to_json()))) == original


def test_plans_with_equal_content_are_equal() -> None:
    """Equality goes by content, down to a single value."""
    assert full_plan() == full_plan()
    assert full_plan() != dataclasses.replace(full_plan(), timeout=61.0)
    assert plan(service("a"), job()) != plan(job(), service("a"))


def test_a_plan_holds_no_run_id() -> None:
    """Its JSON has the plan's own keys and no other."""
    keys = {"plan_version", "benchmark", "strategy", "timeout", "steps", "labels", "inputs", "target"}
    assert set(full_plan().to_json()) == keys


def test_a_plan_cannot_be_changed() -> None:
    """Neither fields nor the tables in them can be set."""
    made = full_plan()
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.timeout = 1.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        made.labels["x"] = "y"  # type: ignore[index]
    with pytest.raises(TypeError):
        made.steps[0].program.env["x"] = "y"  # type: ignore[index]


def test_a_plan_does_not_share_the_tables_it_was_made_from() -> None:
    """Changing a dict afterwards does not change the plan."""
    labels, env = {"team": "a"}, {"A": "1"}
    made = plan(job(env=env), labels=labels)
    labels["team"], env["A"] = "b", "2"
    assert dict(made.labels) == {"team": "a"}
    assert dict(made.steps[0].program.env) == {"A": "1"}


def test_order_puts_needs_first_and_keeps_the_rest_as_given() -> None:
    """Steps that could both be next come in the order in which they were given."""
    made = plan(job("web", "cache"), service("web", "db"), service("cache"), service("db"))
    assert [step.name for step in made.order()] == ["cache", "db", "web", "client"]


def test_services_for_a_job_are_all_that_it_needs() -> None:
    """Services that are needed by a needed service count; others do not."""
    made = plan(service("other"), service("web", "db"), service("db"), job("web"))
    assert [item.name for item in made.services_for(made.jobs[0])] == ["db", "web"]
    assert made.all_needs("client") == {"web", "db"}
    assert made.all_needs("db") == set()


def test_a_step_is_found_by_its_name() -> None:
    """A name that no step has is a KeyError."""
    made = full_plan()
    assert made.step("client") is made.steps[1]
    with pytest.raises(KeyError):
        made.step("nobody")


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((service("a"), service("a")), "two steps are called 'a'"),
        ((service("cache"), job("cahce")), "step 'client' needs 'cahce', which does not exist; did you mean 'cache'?"),
        ((service("a", "a"),), "in a circle: a -> a"),
        ((service("a", "b"), service("b", "c"), service("c", "a")), "in a circle: "),
        ((service("a"), job("a", command="$B_PORT")), "step 'client' uses $B_PORT, and no service gives it"),
        ((service("a"), job(command="$A_HOST")), "step 'client' uses $A_HOST"),
        ((service("a", command="$B_URL"), service("b")), "step 'a' uses $B_URL"),
        ((job(command="$PORT"),), "step 'client' uses $PORT"),
        ((job(command="$WINDTUNNEL_WROK"),), "did you mean 'WINDTUNNEL_WORK'?"),
    ],
)
def test_steps_that_do_not_fit_together_are_refused(steps: tuple[Step, ...], words: str) -> None:
    """The refusal names the steps, and the name that was probably meant."""
    with pytest.raises(PlanError) as refusal:
        plan(*steps)
    assert words in refusal.value.message


@pytest.mark.parametrize(
    "text",
    ["$A_HOST:$A_PORT", "${A_URL}", "$HOME", "$lower_port", "$$B_PORT", "$WINDTUNNEL_OUT", "$ITERATION", "$X", "100$"],
)
def test_names_that_are_given_or_not_ours_are_allowed(text: str) -> None:
    """Needed services give their address; the program's own variables are its business."""
    assert plan(service("a", port=80), job("a", command=text)).jobs


def test_a_variable_of_the_steps_own_env_is_not_ours() -> None:
    """A name like an address is allowed where the step's env defines it."""
    assert plan(job(command="$PROXY_HOST", env={"PROXY_HOST": "x"})).jobs


def test_the_address_of_an_indirect_need_is_given() -> None:
    """A job may use the address of what its services need."""
    made = plan(service("db", port=80), service("web", "db"), job("web", command="$DB_HOST"))
    assert [step.name for step in made.order()] == ["db", "web", "client"]


@pytest.mark.parametrize(
    "change",
    [
        {"plan_version": 2},
        {"plan_version": None},
        {"steps": None},
        {"steps": [{"kind": "Gang"}]},
        {"steps": [{"kind": "Job", "name": "x"}]},
        {"steps": ["x"]},
        {"inputs": [{"src": "a", "path": "b", "other": 1}]},
        {"inputs": None},
        {"labels": None},
        {"labels": "ab"},
        {"timeout": "soon"},
        {"unknown": 1},
    ],
    ids=str,
)
def test_data_that_is_no_plan_is_refused(change: dict[str, Any]) -> None:
    """Other versions, unknown kinds and broken steps are a PlanError."""
    with pytest.raises(PlanError):
        Plan.from_json(full_plan().to_json() | change)


@pytest.mark.parametrize("key", ["plan_version", "benchmark", "steps", "inputs"])
def test_a_plan_without_a_part_is_refused(key: str) -> None:
    """Nothing is made up for what the data lacks."""
    data = full_plan().to_json()
    del data[key]
    with pytest.raises(PlanError):
        Plan.from_json(data)


def test_the_order_of_many_steps_is_found_once() -> None:
    """It is asked for at each start of each step."""
    plan = Plan(benchmark="b", strategy="s", timeout=1, steps=(Job(name="client", program=Program(command=("x",))),))
    assert plan.order() is plan.order()
    assert dataclasses.replace(plan, benchmark="other").order() is not plan.order()
