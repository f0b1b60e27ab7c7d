"""The driver is killed at every step boundary, on every backend: nothing stays, nothing measured is lost."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from _pytest.mark import ParameterSet

from support import docker_lab
from support.kubernetes_faults import Fault
from support.lab import PROGRAMS, Lab, Result, client_server, finish

pytestmark = pytest.mark.timeout(600)
REQUESTS = 3


@dataclass(frozen=True)
class Walk:
    """A whole run on a backend.

    Attributes:
        text: Writes its benchmark.
        events: How many events it has; a test counts them.
        quick: The boundaries that are always tried. Between the others and their neighbours nothing new is on the
            platform.
    """

    text: Callable[[], str]
    events: int
    quick: frozenset[int]


def with_a_daemon() -> str:
    """Return a benchmark of three iterations, whose server is in the background."""
    tables = "[run]\nwarmup = 1\nrepeats = 2"
    return client_server(client=f"--requests {REQUESTS}", tables=tables, server="--daemon")


def of_one_iteration() -> str:
    """Return a benchmark in containers."""
    return docker_lab.client_server(client=f"--requests {REQUESTS}")


WALKS = {
    "process": Walk(with_a_daemon, 17, frozenset(range(1, 18)) - {8, 11, 12, 13}),
    "docker": Walk(of_one_iteration, 11, frozenset({2, 3, 6, 7, 9})),
    "kubernetes": Walk(of_one_iteration, 11, frozenset({3, 6})),
}


def boundaries() -> list[ParameterSet]:
    """Return every boundary of every walk."""
    return [
        pytest.param(backend, at, marks=() if at in walk.quick else pytest.mark.full)
        for backend, walk in WALKS.items()
        for at in range(1, walk.events + 1)
    ]


@pytest.fixture
def gone(backend: str, request: pytest.FixtureRequest, nothing_left: Callable[[float], None]) -> Callable[[str], None]:
    """Wait until nothing of a run is there, which was ended at a moment with a name."""
    if backend == "kubernetes":
        fault: Fault = request.getfixturevalue("fault")
        return fault.killed
    if backend == "docker":
        empty: Callable[[], None] = request.getfixturevalue("docker_empty")

    def check(_at: str) -> None:
        if backend == "docker":
            empty()
        # Docker's warden waits for a minute for what it was told of, and what Docker was not asked for any more.
        nothing_left(75 if backend == "docker" else 5)

    return check


def start(lab: Lab, backend: str, at: int) -> subprocess.Popen[str]:
    """Start a run that kills itself at its n-th event; at none with 0."""
    file = lab.write(WALKS[backend].text())
    return lab.start_python(str(PROGRAMS / "driver.py"), str(file), str(at), "SIGKILL", backend)


def end(lab: Lab, backend: str, at: int) -> Result:
    """Run it to its end."""
    with start(lab, backend, at) as process:
        return finish(process)


@pytest.mark.parametrize("backend", ["process", "docker", pytest.param("kubernetes", marks=pytest.mark.full)])
def test_the_boundaries_are_all_of_them(lab: Lab, gone: Callable[[str], None], backend: str) -> None:
    """The matrix below covers every event of a whole run."""
    result = end(lab, backend, 0)
    gone("its end")

    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == WALKS[backend].events


@pytest.mark.parametrize(("backend", "at"), boundaries())
def test_sigkill_of_the_driver_leaves_nothing(lab: Lab, gone: Callable[[str], None], backend: str, at: int) -> None:
    """Soon nothing is there, the warden included; the samples so far are on disk; the run is lost."""
    result = end(lab, backend, at)
    told = result.stdout.splitlines()
    gone(told[-1])

    assert result.exit_code == -signal.SIGKILL
    assert len(told) == at
    assert len(lab.samples()) == REQUESTS * told.count("iteration_finished client")
    shown = lab.call("show", "last", "--json").record
    assert shown["status"] == ("lost" if at < WALKS[backend].events else "succeeded")
