"""What every session that watches its steps itself does alike, without anything that runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from windtunnel.backends.attended import AttendedSession
from windtunnel.backends.base import Address
from windtunnel.backends.probes import Answer
from windtunnel.backends.started import StartedStep
from windtunnel.errors import InvalidResult
from windtunnel.plan import Job, Liveness, Probe, Program, Readiness, Service
from windtunnel.run.control import Control

PROBE = Probe(kind="tcp")
PROGRAM = Program(command=("true",))
SERVER = Service(name="server", program=PROGRAM, ready=Readiness(probe=PROBE, within=1), port=1)
OK, MISS = Answer(ok=True, detail="connected"), Answer(ok=False, detail="refused")


@dataclass(eq=False, kw_only=True)
class Step(StartedStep):
    """A step that ends when a test says so."""

    exit_status: int | None = None

    @property
    def status(self) -> int | None:
        """Its exit status."""
        return self.exit_status

    @property
    def has_ended(self) -> bool:
        """Whether it has one."""
        return self.exit_status is not None

    @property
    def is_gone(self) -> bool:
        """The same."""
        return self.has_ended


class Scripted(AttendedSession[Step]):
    """A session in which one thing happens each time that it waits, and probes get their answers in turn.

    Args:
        happenings: What happens.
        answers: What probes are told.
    """

    _kind = Step
    _inputs: dict[str, Path] = {}  # noqa: RUF012 - an abstract property's place

    def __init__(self, happenings: Sequence[Callable[[], None]] = (), answers: Sequence[Answer] = ()) -> None:
        super().__init__(Mock(control=Control(60)))
        self._happenings, self._answers = iter(happenings), iter(answers)

    def _wait_change(self, condition: Callable[[], bool], seconds: float) -> bool:
        del seconds
        next(self._happenings, lambda: None)()
        return condition()

    def _check_platform(self) -> None:
        pass

    def _run_beside(self, running: Step, command: tuple[str, ...], seconds: float) -> Answer:
        del running, command, seconds
        raise AssertionError

    def _finish(self, running: Step, grace: float) -> None:
        del running, grace

    def _ask(self, running: Step, probe: Probe, timeout: float) -> Answer:
        del probe, timeout
        answer = next(self._answers, None)
        if answer is None:
            running.is_stopped = True
        return answer or OK


def step(of: Service | Job) -> Step:
    """Return a step that runs."""
    nowhere = Path("nowhere")
    return Step(
        step=of, label=of.name, address=Address("127.0.0.1", 1), log=nowhere, metrics=nowhere, env={}, values={}
    )


def end(running: Step, status: int) -> Callable[[], None]:
    """Return what ends a step."""

    def happen() -> None:
        running.exit_status = status

    return happen


def test_a_failing_clients_server_has_a_moment_to_be_heard_dead() -> None:
    """Its death is the cause, though the client's end is heard first."""
    client, server = step(Job(name="client", program=PROGRAM)), step(SERVER)
    session = Scripted([end(client, 1), end(server, 9)])
    with pytest.raises(InvalidResult, match="server exited with status 9 while it was needed"):
        session.wait(client, [server])


def test_a_client_that_succeeds_is_not_waited_for() -> None:
    """The moment is for those that fail."""
    client, server = step(Job(name="client", program=PROGRAM)), step(SERVER)
    session = Scripted([end(client, 0), end(server, 9)])

    assert session.wait(client, [server]) == 0


@pytest.mark.parametrize(
    ("answers", "is_dead"),
    [
        ([MISS, MISS, OK, MISS, MISS, OK, MISS, MISS], False),
        ([OK, MISS, MISS, OK, MISS, MISS, MISS], True),
        ([MISS, MISS, MISS], True),
        ([OK] * 5, False),
    ],
)
def test_only_misses_in_a_row_are_a_death(answers: list[Answer], *, is_dead: bool) -> None:
    """One answer in between, and they are counted anew."""
    live = Liveness(probe=PROBE, every=0.1, timeout=0.1, failures=3)
    server = step(replace(SERVER, live=live))
    Scripted(answers=[OK, *answers]).until_ready(server, [])
    deadline = time.monotonic() + 20
    while server.death is None and not server.is_stopped:
        assert time.monotonic() < deadline
        time.sleep(0.01)

    assert (server.death is not None) == is_dead
    if server.death:
        assert "failed its liveness probe 3 times in a row" in server.death.message
