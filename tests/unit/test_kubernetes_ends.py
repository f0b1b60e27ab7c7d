"""How the ends and the troubles of pods are judged: from what an API tells, without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import pytest

from support.pod_tasks import pod_task
from windtunnel.backends.base import Address
from windtunnel.backends.containers import METRICS, OUT, WORK
from windtunnel.backends.kubernetes import diagnosis as module
from windtunnel.backends.kubernetes.api import Cluster, Refused
from windtunnel.backends.kubernetes.diagnosis import Diagnosis, check_own, to_error
from windtunnel.backends.kubernetes.pods import PodView
from windtunnel.backends.results import tell_lack
from windtunnel.backends.running import Running
from windtunnel.backends.unit import Site, Unit
from windtunnel.errors import WindtunnelError
from windtunnel.plan import Job, Probe, Program, Readiness, Service
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import Journal

EARLY, LATE = "2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z"
NOBODY: dict[str, Any] = {"type": "Normal", "message": "fine", "lastTimestamp": LATE, "metadata": {}}


@dataclass
class Api:
    """An API that knows events, or refuses to tell."""

    events: list[dict[str, Any]] = field(default_factory=list)
    failure: Exception | None = None

    def path(self, kind: str) -> str:
        """Return where a kind is."""
        return kind

    def ask(self, *_arguments: str, **_options: object) -> object:
        """Tell the events."""
        if self.failure:
            raise self.failure
        return {"items": self.events}


SERVER = Service(
    name="server",
    program=Program(command=("serve",)),
    ready=Readiness(probe=Probe(kind="tcp"), within=1),
    placement="same-pod",
)


def warning(message: str, moment: str = EARLY) -> dict[str, Any]:
    """Return an event that warns."""
    return {"type": "Warning", "message": message, "lastTimestamp": moment, "metadata": {}}


def being_made(**keys: Any) -> PodView:
    """Return a pod whose node makes its volumes."""
    ready = {"type": "PodReadyToStartContainers", "status": "False"}
    return PodView(
        {
            "metadata": {"name": "server"},
            "spec": {"nodeName": "node1"},
            "status": {"phase": "Pending", "conditions": [ready]} | keys,
        }
    )


def ended(code: int, moment: str) -> dict[str, Any]:
    """Return the state of a container that ended."""
    return {"state": {"terminated": {"exitCode": code, "finishedAt": moment}}}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing."""
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(module, "SILENCE_SECONDS", 0.0)


def judge(api: Api) -> Diagnosis:
    """Return a judge of what an API tells."""
    return Diagnosis(cast("Cluster", api))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([warning("configmap not found", LATE)], "cannot be started: configmap not found"),
        ([NOBODY | {"lastTimestamp": EARLY}, warning("no sandbox", LATE)], "cannot be started: no sandbox"),
        ([warning("timed out", EARLY), NOBODY], None),
        ([], None),
    ],
)
def test_a_pod_that_is_not_made_is_told_in_the_words_of_its_last_event(events: list[Any], words: str | None) -> None:
    """One that was a warning; what was tried again with success is forgotten."""
    found = judge(Api(events)).of_pod(being_made())

    assert (found and found.words) == words


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("view", [PodView(), being_made(phase="Running"), being_made(conditions=[])])
def test_a_pod_that_is_made_already_is_not_asked_about(view: PodView) -> None:
    """What warns then, such as a probe, is no reason."""
    assert judge(Api([warning("probe failed")])).of_pod(view) is None


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("failure", [Refused(403, "events is forbidden"), OSError("refused")])
def test_events_that_may_not_be_read_are_no_trouble(failure: Exception) -> None:
    """The run goes on without them."""
    troubles = judge(Api(failure=failure))

    assert troubles.of_pod(being_made()) is None
    assert troubles.of_job("warden") is None


def test_what_may_pass_has_its_time() -> None:
    """A pod that no node takes at first may be taken a moment later."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2"}
    view = PodView({"metadata": {"name": "server"}, "status": {"conditions": [condition]}})

    assert judge(Api()).of_pod(view) is None


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("pods is forbidden: exceeded quota: little", "quota"),
        ('serviceaccount "windtunnel-warden" not found', "not_installed"),
        ("admission webhook denied the request", "forbidden"),
    ],
)
def test_a_job_without_a_pod_says_why(words: str, code: str) -> None:
    """In the cluster's words; where an account is missing, with the command that makes it."""
    found = judge(Api([warning(words)])).of_job("warden")

    assert found is not None
    assert found.code == code
    assert words in found.words
    assert ("windtunnel install kubernetes" in found.words) == (code == "not_installed")


@pytest.mark.parametrize("container", ["windtunnel-collector", "warden", "server"])
def test_a_missing_image_of_the_runs_own_is_told_apart(container: str) -> None:
    """It is none that the benchmark names."""
    state = {"waiting": {"reason": "ImagePullBackOff", "message": "no"}}
    trouble = PodView({"status": {"containerStatuses": [{"name": container, "image": "i", "state": state}]}}).trouble()

    assert trouble is not None
    assert ("WINDTUNNEL_RUNNER_IMAGE" in to_error("server:", trouble).message) == (container != "server")


@pytest.mark.parametrize(
    ("server", "client", "has_died"),
    [
        (ended(9, EARLY), ended(1, LATE), True),
        (ended(0, EARLY), ended(0, LATE), True),
        (ended(9, EARLY), ended(1, EARLY), True),
        (ended(143, EARLY), ended(1, EARLY), False),
        (ended(9, EARLY), ended(0, EARLY), False),
        (ended(137, LATE), ended(1, EARLY), False),
        ({"state": {"running": {}}}, ended(1, EARLY), False),
        ({"state": {"running": {}}, "restartCount": 1}, ended(1, EARLY), True),
        ({"state": {"running": {}}}, {"state": {"running": {}}}, False),
    ],
)
def test_a_server_in_its_clients_pod_died_if_it_ended_first(
    server: dict[str, Any], client: dict[str, Any], *, has_died: bool
) -> None:
    """Kubernetes ends it after its client's end, which is no death; times are whole seconds."""
    statuses = [{"name": "client"} | client, {"name": "server"} | server]
    view = PodView({"metadata": {"name": "client"}, "status": {"containerStatuses": statuses}})

    assert pod_task(view, SERVER, client="client").is_over == has_died


def test_a_server_whose_pod_is_being_deleted_is_doomed_before_it_ends() -> None:
    """One in its client's pod is not: whose pod that is, is for the client to tell."""
    view = PodView({"metadata": {"name": "server", "deletionTimestamp": EARLY}})

    assert pod_task(view, SERVER).state.phase == "ended"
    assert pod_task(view, SERVER).state.problem == "its pod was deleted by somebody"
    assert pod_task(view, SERVER, client="client").state.phase == "running"


@pytest.mark.parametrize(("client", "is_needed"), [({"state": {"running": {}}}, True), (ended(0, EARLY), False)])
def test_a_server_in_its_clients_pod_is_needed_no_longer_than_its_client(
    client: dict[str, Any], *, is_needed: bool
) -> None:
    """Its liveness probe fails from then on, which is no death; that it runs is all that Kubernetes still tells."""
    statuses = [{"name": "client"} | client, {"name": "server", "state": {"running": {}}}]
    view = PodView({"metadata": {"name": "client"}, "status": {"containerStatuses": statuses}})
    running = Running(Mock(), [], Path("metrics"), [pod_task(view, SERVER, client="client")])

    assert running.is_needed == is_needed


@pytest.mark.parametrize(("iteration", "is_doubted"), [(1, False), (2, True)])
def test_what_is_missing_of_what_a_step_wrote_makes_its_numbers_doubtful(
    new_folder: Callable[[str], RunFolder], single_node: str, iteration: int, *, is_doubted: bool
) -> None:
    """Its metrics may have been in it; those of a warm-up are not counted, and a server's are none."""
    journal = Journal(new_folder(single_node))
    job = Job(name="client", program=Program(command=("x",)), warmup=1, repeats=1)
    unit = Unit(job, iteration, 1, Site(Address("client", None), WORK, OUT, METRICS), ("x",))
    running = Running(Mock(), [unit], Path("metrics"))
    tell_lack(running, "the end of its output did not come", Mock(journal=journal))

    assert journal.doubts == ["in iteration 2 the end of its output did not come"] * is_doubted
    assert "the end of its output did not come" in (journal.folder.path / "events.jsonl").read_text()


def test_a_bug_in_a_container_of_ours_is_told_as_one() -> None:
    """Exit 70 with what Python said, where the cluster starts it again; a step's own exit status 70 is none."""
    trace = "Traceback (most recent call last):\n  …\nKeyError: 'x'\n"
    ended = {"exitCode": 70, "message": trace}
    collector = {"name": "windtunnel-collector", "restartCount": 1, "lastState": {"terminated": ended}}
    step = {"name": "client", "state": {"terminated": ended}}

    check_own(PodView({"metadata": {"name": "client-1"}, "status": {"containerStatuses": [step]}}))
    with pytest.raises(WindtunnelError, match="windtunnel-collector of pod client-1: KeyError: 'x'") as caught:
        check_own(PodView({"metadata": {"name": "client-1"}, "status": {"initContainerStatuses": [collector]}}))
    assert caught.value.exit_code == 70
    assert caught.value.log_tail == tuple(trace.splitlines())
