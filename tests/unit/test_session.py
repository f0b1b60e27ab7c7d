"""What a session makes of its tasks' states and of their answers, on a platform that runs nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from windtunnel.backends.base import Launch, RunContext
from windtunnel.backends.platform import State
from windtunnel.backends.probes import Answer
from windtunnel.backends.recording import Outcome, RecordingBackend, RecordingPlatform, RecordingTask
from windtunnel.backends.running import Running
from windtunnel.backends.session import Session
from windtunnel.errors import BenchmarkFailed, Cancelled, InvalidResult, PlatformError
from windtunnel.plan import Job, Liveness, Plan, Probe, Program, Readiness, Service
from windtunnel.run.control import Control
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import Journal

PROBE = Probe(kind="tcp")
PROGRAM = Program(command=("serve", "$PORT"))
SERVER = Service(name="server", program=PROGRAM, ready=Readiness(probe=PROBE, within=5), port=0, grace=1)
CLIENT = Job(name="client", program=Program(command=("load", "$SERVER_URL")), needs=("server",))
YES, NO = Answer(ok=True, detail="connected"), Answer(ok=False, detail="connection refused")
DEAD = State("gone", 9)
BACKGROUND = "went to the background; in a container it would end: run it in the foreground"

Opened = Callable[..., "Run"]


class Run:
    """One run of a server and a client on a platform that runs nothing."""

    def __init__(self, context: RunContext, backend: RecordingBackend, session: Session) -> None:
        self.context, self.backend, self.session = context, backend, session

    def serve(self, service: Service = SERVER) -> Running:
        """Start a server and wait until it is ready."""
        running = self.session.start_service(Launch(service, None, {}))
        self.session.until_ready(running, [])
        return running

    def load(self, job: Job = CLIENT) -> Running:
        """Start a client."""
        return self.session.start_job(Launch(job, 1, {"SERVER_URL": "http://127.0.0.1:1"}))

    def told(self, kind: str) -> list[str]:
        """Return the messages of the events of one kind so far."""
        return [str(line.get("message")) for line in self.context.folder.lines("events") if line["type"] == kind]


@pytest.fixture
def open_run(tmp_path: Path) -> Iterator[Opened]:
    """Open runs; they are closed after the test."""
    opened: list[Run] = []

    def open_(server: Outcome = Outcome(), client: Outcome = Outcome()) -> Run:  # noqa: B008 - immutable
        plan = Plan(benchmark="b", strategy="client-server", timeout=60, steps=(SERVER, CLIENT))
        folder, control = RunFolder.create(tmp_path, plan, ""), Control(60)
        context = RunContext(plan, folder, Journal(folder), control, tmp_path)
        backend = RecordingBackend({"server": [server], "client": [client]})
        opened.append(Run(context, backend, Session(context, RecordingPlatform(backend, context))))
        return opened[-1]

    yield open_
    for run in opened:
        run.session.close()
        run.context.folder.close()


def test_a_service_is_ready_with_its_first_yes(open_run: Opened) -> None:
    """However many answers were none."""
    running = open_run(Outcome(answers=[NO, NO, NO, YES])).serve()

    assert not running.has_ended


def test_a_service_that_never_answers_is_told_with_its_last_words(open_run: Opened) -> None:
    """The message has the question and the answer; the tail is the log's."""
    run = open_run(Outcome(output="starting\n", answers=[NO]))
    with pytest.raises(PlatformError, match=r"server was not ready within 0.2 s: connecting to .*refused") as caught:
        run.serve(replace(SERVER, ready=Readiness(probe=PROBE, within=0.2)))

    assert (caught.value.code, caught.value.log_tail) == ("not_ready", ("starting",))


@pytest.mark.parametrize("kind", ["tcp", "exec"])
def test_only_a_question_over_the_network_is_told_where_a_server_has_to_listen(
    open_run: Opened, monkeypatch: pytest.MonkeyPatch, kind: Literal["tcp", "exec"]
) -> None:
    """A command asks within the container: there, 127.0.0.1 is the server's own."""
    monkeypatch.setattr(RecordingPlatform, "kind", "container")
    probe = Probe(kind=kind, command=("ask",) if kind == "exec" else ())
    run = open_run(Outcome(answers=[NO]))
    with pytest.raises(PlatformError) as caught:
        run.serve(replace(SERVER, ready=Readiness(probe=probe, within=0.05)))

    assert ("has to listen on all addresses" in caught.value.message) is (kind == "tcp")


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        (DEAD, "exited_before_ready", "server exited with status 9 before it was ready"),
        (State("gone", -9), "exited_before_ready", "server was killed by SIGKILL before it was ready"),
        (State("gone", -9, reason="oom", words="ran out of its memory"), "oom", "server ran out of its memory before"),
    ],
)
def test_a_service_that_ends_before_it_is_ready_is_the_platforms_failure(
    open_run: Opened, state: State, code: str, words: str
) -> None:
    """It is told at once, and why."""
    with pytest.raises(PlatformError, match=words) as caught:
        open_run(Outcome(states=[(0.05, state)], answers=[NO])).serve()

    assert caught.value.code == code


def test_a_service_that_dies_while_another_becomes_ready_ends_that_wait(open_run: Opened) -> None:
    """The result would be invalid."""
    run = open_run(Outcome(states=[(0.1, DEAD)]))
    first = run.serve()
    run.backend.outcomes = {"cache": [Outcome(answers=[NO])]}
    cache = run.session.start_service(Launch(replace(SERVER, name="cache"), None, {}))
    with pytest.raises(InvalidResult, match="server exited with status 9 while it was needed"):
        run.session.until_ready(cache, [first])


def test_a_failing_clients_server_has_a_moment_to_be_heard_dead(open_run: Opened) -> None:
    """Its death is the cause, though the client's end is heard first."""
    run = open_run(Outcome(states=[(0.3, DEAD)]), Outcome(states=[(0.1, State("gone", 1))]))
    server = run.serve()
    server.platform.latency = 0.5
    with pytest.raises(InvalidResult, match="server exited with status 9 while it was needed"):
        run.session.wait(run.load(), [server])


def test_a_client_that_succeeds_is_not_waited_for(open_run: Opened) -> None:
    """The moment is for those that fail."""
    run = open_run(Outcome(states=[(30, DEAD)]))
    server = run.serve()
    server.platform.latency = 60

    assert run.session.wait(run.load(), [server]) == 0


@pytest.mark.parametrize(
    ("answers", "is_dead"),
    [
        ([NO, NO, YES, NO, NO, YES, NO, NO, YES], False),
        ([YES, NO, NO, YES, NO, NO, NO], True),
        ([NO, NO, NO], True),
        ([YES] * 5, False),
    ],
)
def test_only_misses_in_a_row_are_a_death(open_run: Opened, answers: Sequence[Answer], *, is_dead: bool) -> None:
    """One answer in between, and they are counted anew."""
    live = Liveness(probe=PROBE, every=0.01, timeout=0.1, failures=3)
    run = open_run(Outcome(answers=[YES, *answers]))
    server = run.serve(replace(SERVER, live=live))
    asked = run.backend.asked
    deadline = time.monotonic() + 20
    while server.death is None and asked["server"] <= len(answers) + 1:
        assert time.monotonic() < deadline
        time.sleep(0.01)

    assert (server.death is not None) == is_dead
    if server.death:
        assert "failed its liveness probe 3 times in a row: connecting to" in server.death.message
        with pytest.raises(InvalidResult, match="failed its liveness probe"):
            run.session.check([server])


def test_a_client_that_ran_out_of_memory_has_failed(open_run: Opened) -> None:
    """Whatever its status was."""
    over = State("gone", -9, reason="oom", words="ran out of its memory of 64 MiB")
    run = open_run(client=Outcome(states=[(0, over)]))
    server = run.serve()
    with pytest.raises(BenchmarkFailed, match="client ran out of its memory of 64 MiB") as caught:
        run.session.wait(run.load(), [server])

    assert caught.value.code == "oom"


def test_a_client_that_was_taken_away_is_the_platforms_failure(open_run: Opened) -> None:
    """Also when it ended in order, since it was told to."""
    gone = State("gone", 0, reason="removed", words="was deleted", problem="its pod was deleted by somebody")
    run = open_run(client=Outcome(states=[(0, gone)]))
    with pytest.raises(PlatformError, match="client: its pod was deleted by somebody") as caught:
        run.session.wait(run.load(), [run.serve()])

    assert caught.value.code == "removed"


def test_a_client_that_is_being_taken_away_is_awaited_for_what_it_still_writes(open_run: Opened) -> None:
    """Its end is not when somebody said so, but when it is gone."""
    taken = State("ended", reason="evicted", problem="its pod was evicted")
    gone = replace(taken, phase="gone")
    run = open_run(client=Outcome(states=[(0, State()), (0.05, taken), (0.3, gone)]))
    client = run.load()
    with pytest.raises(PlatformError, match="client: its pod was evicted"):
        run.session.wait(client, [])

    assert client.is_gone


def test_a_clients_end_nobody_knows_is_a_kill(open_run: Opened) -> None:
    """Success is never guessed."""
    run = open_run(client=Outcome(states=[(0, State("gone"))]))

    assert run.session.wait(run.load(), [run.serve()]) == -9


def test_a_part_that_was_lost_makes_the_numbers_doubtful_once(open_run: Opened) -> None:
    """A worker that the kernel killed is missing in each iteration."""
    lost = State(doubt="a process of it was killed")
    run = open_run(Outcome(states=[(0, lost)]))
    server = run.serve()
    for _iteration in range(2):
        run.session.wait(run.load(), [server])

    assert run.context.journal.doubts == ["server: a process of it was killed"]


def test_one_replica_that_ends_is_the_services_death(open_run: Opened) -> None:
    """The message says which; all of them are stopped."""
    run = open_run(Outcome(states=[(0.05, DEAD)]))
    server = run.session.start_service(Launch(replace(SERVER, replicas=3), None, {}))
    time.sleep(0.1)
    with pytest.raises(InvalidResult, match=r"server's replica server\S* exited with status 9 while it was needed"):
        run.session.check([server])

    assert [task.unit.label for task in server.tasks] == ["server", "server.replica-2", "server.replica-3"]


def test_the_last_lines_of_a_service_are_those_of_the_replica_that_ended(open_run: Opened) -> None:
    """The first one has nothing to say of it."""
    run = open_run()
    server = run.session.start_service(Launch(replace(SERVER, replicas=2), None, {}))
    first, second = server.tasks
    first.log.write_text("all is well\n")
    second.log.write_text("segmentation fault\n")
    run.session.stop(Running(server.platform, server.units[1:], server.metrics, [second]))
    with pytest.raises(InvalidResult, match=r"server's replica server\.replica-2") as caught:
        run.session.check([server])

    assert caught.value.log_tail == ("segmentation fault",)


def test_a_stop_command_is_tried_before_the_platforms_way(open_run: Opened) -> None:
    """Names are replaced in it; the platform's way ends what it leaves."""
    run = open_run()
    server = run.serve(replace(SERVER, stop=("halt", "$PORT"), grace=0.05))
    run.session.stop(server)
    run.session.stop(server)

    assert run.backend.calls[-2:] == [f"run halt {server.address.port}", "stop server"]


def test_a_service_in_the_background_is_told(open_run: Opened) -> None:
    """In a container it would have ended; it is told once."""
    run = open_run(Outcome(states=[(0, State(status=0))]))
    server = run.serve()
    run.session.wait(run.load(), [server])
    run.session.stop(server)

    assert run.told("note") == [BACKGROUND]


def test_a_service_that_goes_to_the_background_once_it_is_ready_is_told(
    open_run: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its command may end while it is measured, and is told of then: this client ends after that."""
    run = open_run()
    server, client = run.serve(), run.load()

    def state(task: RecordingTask) -> State:
        if task in server.tasks:
            return State(status=0)
        return State("gone", 0) if run.told("note") else State()

    monkeypatch.setattr(RecordingTask, "state", property(state))
    assert run.session.wait(client, [server]) == 0
    run.session.stop(server)

    assert run.told("note") == [BACKGROUND]


def test_a_service_that_is_found_in_the_background_when_it_is_stopped_is_told(
    open_run: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody may have looked at it since it was ready."""
    run = open_run()
    server = run.serve()
    monkeypatch.setattr(server.tasks[0], "outcome", Outcome(states=[(0, State(status=0))]))
    run.session.stop(server)

    assert run.told("note") == [BACKGROUND]


def test_a_service_that_has_just_died_is_not_told_to_be_in_the_background(
    open_run: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answered, and ended before anybody looked again."""
    run = open_run()
    server = run.session.start_service(Launch(SERVER, None, {}))
    alive = iter([State(), State()])  # when it was asked, and when it had answered
    monkeypatch.setattr(RecordingTask, "state", property(lambda _task: next(alive, DEAD)))
    run.session.until_ready(server, [])

    assert run.told("note") == []


def test_what_a_job_left_behind_is_told_and_ended(open_run: Opened) -> None:
    """Its command has ended, and something of it runs on."""
    run = open_run(client=Outcome(states=[(0, State(status=0))]))
    client = run.load()
    assert run.session.wait(client, []) == 0
    run.session.stop(client)

    assert run.told("note") == ["left processes behind; they are ended"]


def test_a_wait_ends_when_somebody_cancels(open_run: Opened) -> None:
    """The client goes on for ever."""
    run = open_run(client=Outcome(hangs=True))
    client = run.load()
    run.context.control.cancel("enough")
    with pytest.raises(Cancelled, match="enough"):
        run.session.wait(client, [])


def test_steps_of_one_run_may_be_on_two_platforms(tmp_path: Path) -> None:
    """The server is on one and the client on the other; both are checked, counted and closed."""
    plan = Plan(benchmark="b", strategy="client-server", timeout=60, steps=(SERVER, CLIENT))
    folder = RunFolder.create(tmp_path, plan, "")
    context = RunContext(plan, folder, Journal(folder), Control(60), tmp_path)
    here, there = RecordingBackend(), RecordingBackend()
    session = Session(context, RecordingPlatform(here, context), {"server": RecordingPlatform(there, context)})
    server = session.start_service(Launch(SERVER, None, {}))
    session.until_ready(server, [])
    client = session.start_job(Launch(CLIENT, 1, server.address.values("server")))

    assert session.wait(client, [server]) == 0
    assert session.created() == 2
    session.stop(client)
    session.stop(server)
    session.close()
    folder.close()
    assert here.calls == ["open", "start client.1", "stop client", "close"]
    assert there.calls == ["open", "start server", "ready server", "stop server", "close"]
