"""Gangs: placed whole or not at all, handed to their launcher, and told of by worker, rank and node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from windtunnel.backends import gangs, make_backend
from windtunnel.backends.base import Launch, RunContext
from windtunnel.backends.equipment import Equipment, planned_ranks
from windtunnel.backends.platform import NotAgainError, State
from windtunnel.backends.recording import Outcome, RecordingBackend, RecordingPlatform
from windtunnel.backends.running import Running
from windtunnel.backends.session import Session
from windtunnel.backends.support import check_support
from windtunnel.errors import BenchmarkFailed, Cancelled, InvalidResult, PlatformError
from windtunnel.mpi.keys import make_keys
from windtunnel.plan import Gang, Job, Launcher, Plan, Probe, Program, Readiness
from windtunnel.run.control import Control
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import Journal

GANG = Gang(
    name="gang",
    program=Program(command=("sshd",)),
    ready=Readiness(probe=Probe(kind="tcp"), within=5),
    port=2222,
    replicas=3,
    slots=2,
    grace=1,
)
LAUNCHER = Job(
    name="client",
    program=Program(command=("measure", "--on", "$GANG_HOSTS"), env={"WHERE": "$GANG_HOSTFILE of $GANG_SIZE"}),
    needs=("gang",),
    launcher=Launcher(implementation="openmpi", gang="gang", ranks=5),
)
MEMBERS = Job(name="client", program=Program(command=("train", "$RANK", "$WORLD_SIZE")), size=3)
NO_ROOM = PlatformError("gang: cannot be scheduled: 0/2 nodes are available", code="unschedulable")
Opened = Callable[..., "Run"]


class Run:
    """One run on a platform that runs nothing."""

    def __init__(self, context: RunContext, backend: RecordingBackend) -> None:
        self.context, self.backend = context, backend
        self.session = Session(context, RecordingPlatform(backend, context))

    def gather(self, gang: Gang = GANG) -> Running:
        """Start a gang and wait until it is ready."""
        running = self.session.start_service(Launch(gang, None, {}))
        self.session.until_ready(running, [])
        return running

    def launch(self, gang: Running, job: Job = LAUNCHER) -> Running:
        """Start the launcher on a gang."""
        return self.session.start_job(Launch(job, 1, {"ITERATION": "1", **self.session.values(gang)}))

    def told(self, kind: str) -> list[str]:
        """Return the messages of the events of one kind so far."""
        return [str(line.get("message")) for line in self.context.folder.lines("events") if line["type"] == kind]


@pytest.fixture
def open_run(tmp_path: Path) -> Iterator[Opened]:
    """Open runs; they are closed after the test."""
    opened: list[Run] = []

    def open_(gang: Sequence[Outcome] = (), client: Sequence[Outcome] = (), seconds: float = 60) -> Run:
        steps = (GANG, LAUNCHER)
        plan = Plan(benchmark="b", strategy="mpi", timeout=seconds, steps=steps)
        folder, control = RunFolder.create(tmp_path, plan, ""), Control(seconds)
        context = RunContext(plan, folder, Journal(folder), control, tmp_path)
        outcomes = {"gang": gang or [Outcome()], "client": client or [Outcome()]}
        opened.append(Run(context, RecordingBackend(outcomes)))
        return opened[-1]

    yield open_
    for run in opened:
        run.session.close()
        run.context.folder.close()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gangs, "_LEAST_PAUSE", 0.01)
    monkeypatch.setattr(gangs, "_MOST_PAUSE", 0.02)


def test_a_launcher_is_handed_the_addresses_of_all_workers(open_run: Opened) -> None:
    """In its command, in its variables, and in its hostfile."""
    run = open_run()
    (unit,) = run.launch(run.gather()).units

    assert unit.env["GANG_HOSTS"] == "192.0.2.1,192.0.2.2,192.0.2.3"
    assert unit.env["WHERE"] == f"{unit.env['GANG_HOSTFILE']} of 3"
    assert unit.env["WORLD_SIZE"] == "5"
    hostfile = unit.files[str(Path(unit.env["GANG_HOSTFILE"]).relative_to(unit.site.work))]
    assert [line.split()[0] for line in hostfile.splitlines()] == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert any("192.0.2.1,192.0.2.2,192.0.2.3" in text and "measure" in text for text in unit.files.values())


def test_workers_let_in_the_runs_launcher_and_nobody_else(open_run: Opened) -> None:
    """The keys are the run's own, are among files that go where secrets go, and are in no command or variable."""
    one, other = open_run(), open_run()
    gang = one.gather()
    keys = one.session.gangs.equipment.keys

    assert keys != other.session.gangs.equipment.keys
    for unit in (*gang.units, *one.launch(gang).units):
        assert unit.has_keys
        for key in (keys.private, keys.host_private):
            assert not any(key in text for text in (*unit.argv, *unit.env.values()))
    assert {unit.hostname for unit in gang.units} == {"gang-0", "gang-1", "gang-2"}


def test_a_gang_that_has_no_room_is_refused_at_once(open_run: Opened) -> None:
    """Unless it says how long it is tried again."""
    with pytest.raises(PlatformError, match="cannot be scheduled"):
        open_run([Outcome(error=NO_ROOM)]).gather()


def test_a_gang_that_waits_is_tried_until_it_has_room(open_run: Opened) -> None:
    """Each try is told, with what the scheduler said."""
    run = open_run([Outcome(error=NO_ROOM), Outcome(error=NO_ROOM), Outcome()])
    run.gather(replace(GANG, wait=60))

    assert run.backend.calls.count("start gang") == 3
    assert [NO_ROOM.message in note for note in run.told("note")] == [True, True]


def test_a_gang_that_waits_for_room_in_vain_tells_the_schedulers_words(open_run: Opened) -> None:
    """When its time is over, and not when the run's is."""
    run = open_run([Outcome(error=NO_ROOM)])
    with pytest.raises(PlatformError, match="cannot be scheduled"):
        run.gather(replace(GANG, wait=0.1))
    assert run.backend.calls.count("start gang") > 1


def test_a_gang_that_waits_for_room_ends_with_its_run(open_run: Opened) -> None:
    """A cancel is heard between two tries."""
    run = open_run([Outcome(error=NO_ROOM)])
    run.context.control.cancel("enough")
    with pytest.raises(Cancelled):
        run.gather(replace(GANG, wait=60))


def test_what_waiting_does_not_help_is_told_at_once(open_run: Opened) -> None:
    """An image that is missing is missing after an hour."""
    error = PlatformError("gang: has no image", code="image_pull")
    run = open_run([Outcome(error=error)])
    with pytest.raises(PlatformError, match="has no image"):
        run.gather(replace(GANG, wait=60))
    assert run.backend.calls.count("start gang") == 1


def test_what_an_engine_makes_once_is_not_tried_again(open_run: Opened) -> None:
    """Its cause is the lack of room, and a note tells why nobody waits for more."""
    run = open_run([Outcome(error=NotAgainError(NO_ROOM.message, code=NO_ROOM.code))])
    with pytest.raises(PlatformError, match="cannot be scheduled"):
        run.gather(replace(GANG, wait=60))
    assert run.backend.calls.count("start gang") == 1
    assert run.told("note") == ["is not tried again, as its pod is made once"]


def test_a_workers_death_ends_the_run_with_its_ranks_and_its_node(open_run: Opened) -> None:
    """Whatever the launcher makes of it: it may well end with status 0."""
    run = open_run([Outcome(states=[(0, State()), (0.05, State("gone", -9))])], [Outcome(hangs=True)])
    gang = run.gather()
    job = run.launch(gang)

    with pytest.raises(InvalidResult) as caught:
        run.session.wait(job, [gang])
    assert caught.value.code == "worker_died"
    assert "gang's worker gang-0 (ranks 0, 1 on node-1) was killed by SIGKILL" in caught.value.message


@pytest.mark.parametrize(
    ("slots", "ranks", "planned"),
    [
        (2, 5, {1: [0, 1], 2: [2, 3], 3: [4]}),
        (2, 2, {1: [0, 1]}),
        (1, 3, {1: [0], 2: [1], 3: [2]}),
    ],
)
def test_workers_are_filled_one_after_the_other(slots: int, ranks: int, planned: dict[int, list[int]]) -> None:
    """By slot, as every launcher is told to."""
    job = replace(LAUNCHER, launcher=Launcher(implementation="mpich", gang="gang", ranks=ranks))
    gang = replace(GANG, slots=slots)

    assert planned_ranks(Plan(benchmark="b", strategy="mpi", timeout=60, steps=(gang, job)), gang) == planned


def test_where_nothing_is_started_the_launcher_starts_all_ranks_itself() -> None:
    """A gang's hosts are none, and no key is made."""
    plan = Plan(benchmark="b", strategy="mpi", timeout=60, steps=(GANG, LAUNCHER))
    equipment = Equipment.stand_in(plan, has_gangs=False)

    assert equipment.values(GANG) == {"GANG_HOSTS": "localhost", "GANG_SIZE": "3"}
    assert "keys" not in vars(equipment)


def test_each_member_of_a_job_knows_its_rank_and_the_first_ones_address(open_run: Opened) -> None:
    """In its command and in its environment, by the names that PyTorch reads."""
    units = open_run().session.start_job(Launch(MEMBERS, 1, {"ITERATION": "1"})).units

    assert [unit.argv for unit in units] == [("train", str(rank), "3") for rank in range(3)]
    assert {unit.env["MASTER_ADDR"] for unit in units} == {units[0].site.address.host}
    assert [unit.hostname for unit in units] == ["client-0", "client-1", "client-2"]


def test_a_gang_of_one_has_a_rank_too(open_run: Opened) -> None:
    """The smallest of a sweep over sizes runs the same program as all others."""
    (unit,) = open_run().session.start_job(Launch(replace(MEMBERS, size=1), 1, {"ITERATION": "1"})).units

    assert unit.argv == ("train", "0", "1")
    assert {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= unit.env.keys()


def test_a_job_of_members_ends_well_once_all_have(open_run: Opened) -> None:
    """The first to end is not waited beside."""
    run = open_run()
    job = run.session.start_job(Launch(MEMBERS, 1, {}))

    assert run.session.wait(job, []) == 0
    run.session.judge(job, 0, [])


def test_the_first_member_that_fails_ends_the_others_and_is_named(open_run: Opened) -> None:
    """With its rank, its node and its status."""
    run = open_run(client=[Outcome(status=7)])
    job = run.session.start_job(Launch(MEMBERS, 1, {}))

    assert run.session.wait(job, []) == 7
    with pytest.raises(BenchmarkFailed, match="client's rank 0 on node-1 exited with status 7 in iteration 1"):
        run.session.judge(job, 7, [])


def test_keys_are_new_for_each_run() -> None:
    """Two pairs, neither of them known to another run."""
    one, other = make_keys(), make_keys()

    assert len({one.private, one.host_private, other.private, other.host_private}) == 4


def test_a_traced_launcher_says_that_ranks_elsewhere_are_not_recorded() -> None:
    """On process they are its own processes, and are."""
    gang = replace(GANG, program=Program(command=("sshd",), image="i"))
    launcher = replace(LAUNCHER, program=replace(LAUNCHER.program, image="i", trace=True))
    plan = Plan(benchmark="b", strategy="mpi", timeout=60, steps=(gang, launcher))

    words = "client: the system calls of the launcher are recorded, and not those of ranks, which are elsewhere"
    assert words in check_support(plan, make_backend("docker"))
    assert words not in check_support(plan, make_backend("process"))
