"""What pods use is told in this machine's time, whatever the clocks of their nodes say."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from windtunnel.backends.agent.dial_out import Clock
from windtunnel.backends.kubernetes.agent import Agent
from windtunnel.backends.kubernetes.task import PodTask
from windtunnel.backends.kubernetes.usage import UsageReader
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import Journal

SKEW = 600.0
SAMPLE: dict[str, Any] = {"seconds": 0.5, "cpu": 1.0, "cpu_wait": 0.9, "memory": 1, "processes": 1}


@dataclass(frozen=True)
class Hub:
    """A hub whose clock is so many seconds ahead, and which has one sample, just taken by its clock."""

    ahead: float

    def read_usage(self, _pod: str, _offset: int) -> tuple[str, float]:
        """Return the sample and the time."""
        now = time.time() + self.ahead
        return json.dumps(SAMPLE | {"time": now, "container": "/pod/x"}) + "\n", now


@pytest.mark.parametrize("ahead", [0.0, SKEW, -SKEW])
def test_what_a_step_used_is_in_the_iteration_in_which_it_used_it(
    new_folder: Callable[[str], RunFolder], single_node: str, ahead: float
) -> None:
    """A client that was starved of CPU would not be seen, if its samples were outside of all iterations."""
    journal = Journal(new_folder(single_node))
    unit = SimpleNamespace(step=SimpleNamespace(name="client"))
    task = SimpleNamespace(pod="client-1", container_id="x", unit=unit)
    begin = time.time()
    UsageReader(cast("Agent", Hub(ahead)), journal).read([cast("PodTask", task)])

    (found,) = journal.usage
    assert begin - 1 < found.time < time.time() + 1


def test_a_collector_tells_the_time_of_the_hubs_clock() -> None:
    """The quickest answer counts: in a slow one the time may have been told at its begin or its end."""
    clock = Clock()
    assert clock.moved(1.0) == 1.0
    clock.note(10.0, 10.2, "610.1")
    clock.note(20.0, 24.0, "623.9")
    clock.note(30.0, 30.1, "")

    assert clock.moved(1.0) == 601.0
