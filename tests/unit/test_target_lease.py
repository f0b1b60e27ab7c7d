"""Runs take turns on a target: against an API that is only played."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from support.played_leases import PlayedCluster, Store
from windtunnel.backends import make_backend
from windtunnel.backends.base import RunContext, longest_seconds
from windtunnel.backends.kubernetes import target_lease as module
from windtunnel.backends.kubernetes.target_lease import TargetLease
from windtunnel.backends.preview import preview_plan
from windtunnel.benchmark import parse
from windtunnel.engines.argo.pod_patch import planned
from windtunnel.errors import Cancelled, PlatformError, TimedOut
from windtunnel.plan import Program, Target
from windtunnel.run.control import Control
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import Journal
from windtunnel.secrets import Redaction
from windtunnel.strategies import make_plan

LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
PATH = f"{LEASES}/target-box"
PODS = "/api/v1/namespaces/default/pods"
SOON, LATE = 0.3, 60.0
"""How many seconds a Lease lasts: over soon, or not while a test goes on."""
FUTURE = "2999-01-01T00:00:00.000000Z"
NewFolder = Callable[[str], RunFolder]


class Lab:
    """A run that wants the target ``box``, and the API that it asks."""

    def __init__(self, folder: RunFolder, text: str) -> None:
        self.store = Store()
        self.notes: list[str] = []
        self.control = Control(LATE)
        self.plan = make_plan(parse(text, Path("benchmark.toml")).benchmark)
        self.folder = folder
        journal = Journal(folder, [], self.control)
        self.context = RunContext(self.plan, folder, journal, self.control, Path())
        journal.note = lambda message, *_where: self.notes.append(message)  # type: ignore[method-assign]
        self._journal = journal

    @contextmanager
    def turn(self, within: float = LATE) -> Iterator[TargetLease]:
        """Lend the run's turn once it has it."""
        cluster = PlayedCluster(Mock(), "default", "played", store=self.store)
        taken = TargetLease(self.context, Target(name="box", within=within), cluster)
        try:
            yield taken
        finally:
            taken.close()

    def have_other(self, seconds: float, renewed: str = FUTURE) -> None:
        """Have the Lease with another run, whose clock is far ahead."""
        labels = {"windtunnel.dev/run": "other-1", "windtunnel.dev/store": "turn", "label.windtunnel.dev/team": "b"}
        spec = {"holderIdentity": "other-1", "leaseDurationSeconds": seconds, "acquireTime": FUTURE}
        metadata = {"labels": labels, "annotations": {"windtunnel.dev/driver": "its"}}
        self.store.put(PATH, {"metadata": metadata, "spec": spec | {"renewTime": renewed}})

    @property
    def holder(self) -> object:
        """Who has the Lease."""
        return self.store.leases[PATH]["spec"]["holderIdentity"]

    def close(self) -> None:
        """End the run's threads."""
        self._journal.close()
        assert self.control.threads.join(LATE) == []


@pytest.fixture
def lab(new_folder: NewFolder, single_node: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A run that looks often."""
    monkeypatch.setenv("WINDTUNNEL_LEASE_SECONDS", "3")
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    text = f'{single_node}\n[target]\nname = "box"\n'
    made = Lab(new_folder(text), text)
    yield made
    made.close()


def pod(run: str, **labels: str) -> dict[str, Any]:
    """Return a pod of a run that is on a node."""
    metadata = {"name": "client-1", "labels": {"windtunnel.dev/run": run} | labels}
    return {"metadata": metadata, "spec": {"nodeName": "n"}, "status": {"phase": "Running"}}


IMAGE = Program(command=("measure",), image="measure:1")
ON_BOX = {"windtunnel.dev/target": "box"}


def test_a_free_target_is_had_at_once_and_given_back(lab: Lab) -> None:
    """Nobody is told of a wait that there was not, and nothing is left of it."""
    with lab.turn() as turn:
        turn.confirm()
        assert lab.holder == lab.folder.run_id
        assert lab.store.leases[PATH]["metadata"]["labels"]["windtunnel.dev/target"] == "box"
    assert lab.store.leases == {}
    assert lab.notes == []


def test_a_run_waits_for_the_one_before_it_and_says_for_which(lab: Lab) -> None:
    """It goes on when that gives the target back; until then it makes nothing."""
    lab.have_other(LATE)

    def look(number: int) -> None:
        if number == 5:
            assert lab.store.changes == []
            del lab.store.leases[PATH]

    lab.store.on_look = look
    with lab.turn():
        assert lab.holder == lab.folder.run_id
    waits, has = lab.notes
    assert waits == f"waits for target box: run other-1 has it since {FUTURE}"
    assert has.startswith("has target box, after ")


def test_a_wait_is_told_again_and_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time that a while has passed."""
    monkeypatch.setattr(module, "TELL_SECONDS", 0.0)
    lab.have_other(LATE)
    lab.store.on_look = lambda number: lab.store.leases.clear() if number == 4 else None
    with lab.turn():
        assert len([note for note in lab.notes if note.startswith("waits for")]) == 3


def test_a_lease_that_is_renewed_is_never_taken_over(lab: Lab) -> None:
    """Whatever time stands in it: clocks differ. A cancel ends the wait, and nothing was made."""
    lab.have_other(SOON, renewed="2000-01-01T00:00:00.000000Z")

    def look(number: int) -> None:
        lab.store.leases[PATH]["spec"]["renewTime"] = f"2000-01-01T00:00:00.{number:06}Z"
        if number == 100:
            lab.control.cancel("by hand")

    lab.store.on_look = look
    with pytest.raises(Cancelled, match="by hand"), lab.turn():
        pass
    assert lab.store.changes == []
    assert lab.holder == "other-1"


def test_a_lease_that_nobody_renews_is_taken_over(lab: Lab) -> None:
    """Though its time lies in the future; of the labels of the run before nothing stays."""
    lab.have_other(SOON)
    with lab.turn():
        assert lab.holder == lab.folder.run_id
        labels = lab.store.leases[PATH]["metadata"]["labels"]
        assert labels["windtunnel.dev/run"] == lab.folder.run_id
        assert "label.windtunnel.dev/team" not in labels
    assert lab.store.leases == {}


@pytest.mark.parametrize("labels", [ON_BOX, {}], ids=["made by its driver", "made by its engine"])
def test_a_run_whose_driver_died_keeps_the_target_until_its_pods_are_gone(lab: Lab, labels: dict[str, str]) -> None:
    """Its Lease is long stale then; nothing is made before."""
    lab.have_other(0.0)
    lab.store.objects[PODS] = [pod("other-1", **labels)]

    def look(number: int) -> None:
        if number == 20:
            assert lab.store.changes == []
            lab.store.objects.clear()

    lab.store.on_look = look
    with lab.turn():
        assert lab.holder == lab.folder.run_id


def test_a_lease_that_was_deleted_lets_nobody_in_before_the_pods_are_gone(lab: Lab) -> None:
    """Who has the Lease waits for what is left of others, and gives it back if it is cancelled meanwhile."""
    lab.store.objects[PODS] = [pod("other-1", **ON_BOX), pod(lab.folder.run_id, **ON_BOX)]

    def be_told(message: str, *_where: object) -> None:
        lab.notes.append(message)
        lab.control.cancel("by hand")

    lab.context.journal.note = be_told  # type: ignore[method-assign, assignment]
    with pytest.raises(Cancelled), lab.turn():
        pass
    assert lab.notes == ["waits for target box: pod client-1 of run other-1 is not gone yet"]
    assert lab.store.leases == {}


def test_a_run_that_waited_too_long_ends(lab: Lab) -> None:
    """With exit code 4, and the name of the run that was in its way."""
    lab.have_other(LATE)
    with pytest.raises(TimedOut, match=r"not free within 0\.1 s: run other-1 has it") as ended, lab.turn(within=0.1):
        pass
    assert ended.value.code == "target_busy"


def test_of_two_runs_that_find_a_stale_lease_one_takes_it(lab: Lab) -> None:
    """The API refuses the change of a version that there is no more; the slower one waits on."""
    lab.have_other(0.0)

    def be_faster(method: str) -> None:
        lab.store.before_change = lambda _method: None
        assert method == "PATCH"
        lab.have_other(LATE)
        lab.store.on_look = lambda number: lab.store.leases.clear() if number == 10 else None

    lab.store.before_change = be_faster
    with lab.turn():
        assert lab.store.changes == [f"POST {PATH}"]


def test_a_target_that_is_lost_ends_the_run(lab: Lab) -> None:
    """Its numbers would not be measured alone; the Lease of the other run stays."""
    with lab.turn() as turn:
        lab.have_other(LATE)
        with pytest.raises(PlatformError, match="target box is lost: run other-1 has it") as lost:
            turn.confirm()
        assert lost.value.code == "target_lost"
        while not lab.control.failure:
            lab.control.threads.join(0.05)
    assert lab.control.failure.exit_code == 3
    assert lab.holder == "other-1"


def test_a_change_by_somebody_else_that_leaves_the_holder_is_no_loss(lab: Lab) -> None:
    """Such as a label."""
    with lab.turn() as turn:
        lab.store.put(PATH, lab.store.leases[PATH])
        turn.confirm()
        turn.confirm()
    assert lab.store.leases == {}
    assert lab.control.failure is None


def test_a_preview_begins_with_the_turn_and_all_that_follows_has_the_targets_name(lab: Lab) -> None:
    """By which the next run sees what is left."""
    plan = replace(lab.plan, steps=tuple(replace(step, program=IMAGE) for step in lab.plan.steps))
    lease, *others = preview_plan(plan, make_backend("kubernetes"), Redaction.of([])).documents

    assert (lease["kind"], lease["metadata"]["name"]) == ("Lease", "target-box")
    assert {each["metadata"]["labels"].get("windtunnel.dev/target") for each in others} == {"box"}


def test_argo_gives_a_workflow_the_time_that_it_may_wait(lab: Lab) -> None:
    """Beyond what the benchmark itself may take."""
    alone = replace(lab.plan, target=None)
    assert longest_seconds(lab.plan) - longest_seconds(alone) == 86_400
    plan = replace(lab.plan, steps=tuple(replace(step, program=IMAGE) for step in lab.plan.steps))
    seconds = [int(planned(each, "windtunnel")["seconds"]) for each in (plan, replace(plan, target=None))]
    assert seconds[0] - seconds[1] == 86_400
