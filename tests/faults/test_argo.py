"""However an Argo workflow ends, nothing of its run stays: counted from outside, in seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime

import pytest
from _pytest.mark import ParameterSet

from support import argo_lab
from support.argo_lab import CONTROLLER, Over, Workflow, submitted
from support.claims import volume
from support.docker_lab import client_server, single_node
from support.kubernetes_lab import kubectl, objects_of

pytestmark = [pytest.mark.usefixtures("nothing_left"), pytest.mark.timeout(900)]
full = pytest.mark.full
GONE_SECONDS = 120.0
"""An idle machine needs a fifth of that; what was needed is in the tests' report."""
TWENTY = 20
HANGING = "--hang-in 1"
TIMEOUTS = (25, 50, 100, 200)
PLACES = {"apart": "", "same-pod": 'placement = "same-pod"'}


@dataclass(frozen=True)
class Case:
    """What happens to a run, and what is to become of it.

    Attributes:
        server: Arguments of the server.
        client: Arguments of the client.
        keys: Keys of the benchmark.
        ready: Its readiness probe.
        phase: The workflow's phase at the end; None if it does not matter.
        exit_code: The run's.
        cause: The code of its cause.
        red: The act that failed.
    """

    server: str = ""
    client: str = ""
    keys: str = ""
    ready: str = '{ http = "/ready", within = "20s" }'
    phase: str = "Failed"
    exit_code: int = 0
    cause: str | None = None
    red: str | None = None


ENDS = {
    "success": Case(phase="Succeeded"),
    "failing client": Case(client="--fail-in 1", exit_code=1, cause="command_failed", red="benchmark 1/1"),
    "server never ready": Case(
        server="--unready",
        ready='{ http = "/ready", within = "4s" }',
        exit_code=3,
        cause="not_ready",
        red="server is ready",
    ),
    "server dies": Case(server="--die-after 3", client=HANGING, exit_code=5, cause="server_died", red="benchmark 1/1"),
    "deadline": Case(client=HANGING, keys='timeout = "15s"', exit_code=4, cause="timed_out", red="benchmark 1/1"),
}
QUICK = {("failing client", "apart")}
STRIKES: dict[str, Callable[[str], object]] = {
    "stop": lambda name: argo_lab.argo("stop", name),
    "terminate": lambda name: argo_lab.argo("terminate", name),
    "delete": lambda name: kubectl("delete", "workflow", name, "--wait=false"),
}
QUICK_STRIKES = {("stop", "same-pod"), ("delete", "apart")}


def variants(names: Iterable[str], quick: set[tuple[str, str]]) -> list[ParameterSet]:
    """Return every case in every place; those that take long are tried by test-full alone."""
    pairs = [(name, place) for name in names for place in PLACES]
    return [
        pytest.param(*pair, id=" ".join(pair)) if pair in quick else pytest.param(*pair, marks=full, id=" ".join(pair))
        for pair in pairs
    ]


@pytest.fixture
def store(argo: None) -> Iterator[str]:
    """A store that pods reach."""
    del argo
    with volume("777") as claim:
        yield claim.store


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """Write a figure into the tests' report (``--junit-xml``)."""
    return lambda name, value: request.node.user_properties.append((name, value))


def wait_gone(workflow: Workflow, run: Callable[[], set[str]], began: float, seconds: float = GONE_SECONDS) -> float:
    """Wait until nothing of the run is there; return how long that took, in seconds."""
    while left := run():
        assert time.time() < began + seconds, f"{workflow.name}: still there: {left}"
        time.sleep(0.2)
    return round(time.time() - began, 1)


@pytest.mark.parametrize(("name", "place"), variants(ENDS, QUICK))
def test_a_workflow_that_ends_takes_everything_with_it(
    store: str, note: Callable[[str, object], None], name: str, place: str
) -> None:
    """Phase, exit code and cause are the run's; the act that failed is red; its pods are Argo's, and are collected."""
    case = ENDS[name]
    text = client_server(
        server=case.server, client=case.client, keys=case.keys, ready=case.ready, server_keys=PLACES[place]
    )
    with submitted(text, store) as workflow:
        phase = workflow.end()
        ended = time.time()
        note("seconds", wait_gone(workflow, workflow.left, ended))
        record, message, outputs, acts = workflow.record, workflow.message, workflow.outputs, workflow.acts()
        workflow.until_collected(GONE_SECONDS)

    cause = record["cause"]
    assert outputs["cause"] == (f"{cause['code']}: {cause['message']}" if cause else "")
    assert message.endswith(outputs["cause"])
    red = [(act["displayName"], act["message"]) for act in acts if act["phase"] == "Failed"]
    # A server in the client's pod is asked when the benchmark has begun.
    assert red == ([(case.red if place == "apart" else "benchmark 1/1", outputs["cause"])] if case.red else [])
    assert (phase, record["exit_code"]) == (case.phase, case.exit_code), record["cause"]
    assert (record["cause"] or {}).get("code") == case.cause
    assert record["resources"]["left"] == []


@pytest.mark.parametrize(("name", "place"), variants(STRIKES, QUICK_STRIKES))
def test_a_workflow_that_is_ended_takes_everything_with_it(
    store: str, note: Callable[[str, object], None], name: str, place: str
) -> None:
    """The client's processes and the servers are gone, and so is the driver."""
    text = client_server(client=HANGING, server_keys=PLACES[place])
    with submitted(text, store) as workflow:
        await_client(workflow)
        run_id = workflow.run_id()
        assert workflow.left()
        STRIKES[name](workflow.name)
        struck = time.time()
        # The workflow itself may be gone, and with it what its run is called after.
        note("seconds", wait_gone(workflow, lambda: objects_of(run_id), struck))
        wait_gone(workflow, lambda: running(workflow), struck)
        if name == "stop":
            assert workflow.end() == "Failed"
            assert (workflow.record["exit_code"], workflow.record["status"]) == (130, "cancelled")
            assert workflow.outputs["cause"].startswith("cancelled: stopped: Argo asked for it")
            # Of the workflow Argo says that it was stopped; of its exit handler, why.
            assert workflow.nodes("finish")[-1]["message"].endswith(workflow.outputs["cause"])
        if name == "terminate":
            assert workflow.end() == "Failed"


def await_client(workflow: Workflow) -> None:
    """Wait until the client runs and hangs."""
    workflow.meanwhile(lambda: any(each["phase"] == "Running" for each in workflow.nodes("client")), "client that runs")
    workflow.meanwhile(lambda: "client: hanging" in argo_lab.argo("logs", workflow.name).stdout, "client that hangs")


def running(workflow: Workflow) -> set[str]:
    """Return the pods of a workflow that still run."""
    return {pod["metadata"]["name"] for pod in workflow.pods() if pod["status"]["phase"] in {"Pending", "Running"}}


def test_a_driver_that_is_killed_takes_everything_with_it(store: str, note: Callable[[str, object], None]) -> None:
    """Its warden misses it, stops the workflow, and nothing is left; the workflow says that it failed."""
    with submitted(client_server(client=HANGING), store) as workflow:
        await_client(workflow)
        shown = [("start server", "Succeeded"), ("server is ready", "Succeeded")]
        workflow.meanwhile(lambda: acts_of(workflow) == shown, "act of the server that is ready")
        (drive,) = (pod for pod in workflow.pods() if "-drive-" in pod["metadata"]["name"])
        kubectl("exec", drive["metadata"]["name"], "--container", "main", "--", "python", "-c", argo_lab.KILL_DRIVER)
        killed = time.time()
        note("seconds", wait_gone(workflow, workflow.left, killed, 2 * GONE_SECONDS))
        wait_gone(workflow, lambda: running(workflow), killed, 3 * GONE_SECONDS)
        assert workflow.end() == "Failed"
        labels = workflow.read()["metadata"]["labels"]
        assert (labels["windtunnel.dev/status"], labels["windtunnel.dev/exit-code"]) == ("failed", "3")
        assert workflow.outputs["cause"].startswith("driver_lost: ")
        assert acts_of(workflow) == shown


def acts_of(workflow: Workflow) -> list[tuple[str, str]]:
    """Return what the graph has of a driver's acts: the name and the phase of each."""
    return [(act["displayName"], act["phase"]) for act in workflow.acts()]


@full
def test_a_client_without_memory_is_told_so(store: str) -> None:
    """Exit 1 with the limit, as without Argo."""
    keys = 'resources = { memory = "64Mi" }'
    text = single_node(["python3", "-c", "x = b'x' * 200_000_000"], client=keys)
    with submitted(text, store, template="single-node") as workflow:
        assert workflow.end() == "Failed"
        cause = workflow.record["cause"]
    assert cause["code"] == "oom"
    assert "client ran out of its memory of 64 MiB" in cause["message"]


@full
@pytest.mark.alone
@pytest.mark.timeout(1500)
def test_twenty_at_once_all_complete(store: str, note: Callable[[str, object], None]) -> None:
    """More than the nodes have room for: they wait for each other, and every one has its result."""
    began = time.time()
    with ExitStack() as stack:
        there = [stack.enter_context(submitted(client_server(), store)) for _ in range(TWENTY)]
        for workflow in there:
            assert workflow.end(1200) == "Succeeded", workflow.record["cause"]
        note("seconds", round(time.time() - began))
        assert [each.record["metrics"]["latency"]["n"] for each in there] == [1] * TWENTY
        assert not any(each.left() for each in there)
        for workflow in there:
            workflow.until_collected(GONE_SECONDS)


@full
@pytest.mark.ends_controller
@pytest.mark.parametrize("place", PLACES)
def test_a_run_goes_on_while_its_controller_is_restarted(
    store: str, note: Callable[[str, object], None], place: str
) -> None:
    """The driver needs no controller to measure; the workflow succeeds when one is there again."""
    text = client_server(server="--latency 0.1", client="--requests 60", server_keys=PLACES[place])
    with submitted(text, store) as workflow:
        workflow.meanwhile(lambda: any(each["phase"] == "Running" for each in workflow.nodes("client")), "client")
        kubectl("--namespace", "argo", "delete", "pods", "--all", "--grace-period=0", "--force")
        assert workflow.end() == "Succeeded"
        note("seconds", wait_gone(workflow, workflow.left, time.time()))
        assert workflow.record["metrics"]["latency"]["n"] == 1


@pytest.mark.ends_controller
@pytest.mark.parametrize("place", [pytest.param("apart", marks=full), "same-pod"])
def test_a_run_ends_though_its_controller_is_gone_for_good(
    store: str, note: Callable[[str, object], None], place: str
) -> None:
    """At its deadline the driver ends it; what stays are the workflow's own pods, and none of them runs."""
    with hanging(store, PLACES[place]) as (workflow, seconds):
        kubectl(*CONTROLLER[:2], "scale", CONTROLLER[2], "--replicas=0")
        try:
            wait_gone(workflow, workflow.left, time.time() + seconds)
            gone = time.time()
            wait_gone(workflow, lambda: running(workflow), gone)
            deadline = datetime.fromisoformat(workflow.record["started"]).timestamp() + seconds
            assert workflow.record["cause"]["code"] == "timed_out"
            assert gone < deadline + GONE_SECONDS
            note("seconds", round(gone - deadline, 1))
        finally:
            argo_lab.start_controller()


@contextmanager
def hanging(store: str, server_keys: str) -> Iterator[tuple[Workflow, int]]:
    """Lend a workflow whose client hangs, with its timeout in seconds: the first that is enough on this machine."""
    for seconds in TIMEOUTS:
        text = client_server(client=HANGING, keys=f'timeout = "{seconds}s"', server_keys=server_keys)
        with submitted(text, store) as workflow:
            try:
                await_client(workflow)
            except Over:
                if seconds == TIMEOUTS[-1]:
                    raise
                continue
            yield workflow, seconds
            return
