"""Where ranks were, in a report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.page import Page
from windtunnel.analysis.placement import Worker, placements
from windtunnel.analysis.report import render
from windtunnel.backends.recording import Outcome, RecordingBackend
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord

RunRecorded = Callable[..., RunRecord]
MEMBERS: list[dict[str, Any]] = [
    {"name": "gang-0", "address": "10.0.0.7", "node": "node-a", "ranks": [0, 1]},
    {"name": "gang-1", "address": "10.0.0.8", "node": "node-b", "ranks": [2]},
    {"name": "gang-2", "address": "10.0.0.9", "node": "node-a", "ranks": []},
]
GANG = {"implementation": "intel", "version": "2021.18.1", "barrier_seconds": 0.31, "census_seconds": 0.8}


def test_workers_are_put_together_by_node() -> None:
    """Each with its ranks, in the order of the gang."""
    (found,) = placements({"gangs": {"gang": {**GANG, "members": MEMBERS}}})

    assert found.launcher == "Intel MPI 2021.18.1"
    assert found.nodes == {
        "node-a": [Worker("gang-0", "10.0.0.7", [0, 1]), Worker("gang-2", "10.0.0.9", [])],
        "node-b": [Worker("gang-1", "10.0.0.8", [2])],
    }


def test_a_member_without_launcher_is_the_rank_of_its_number() -> None:
    """Nobody else gives ranks out."""
    members = [{key: value for key, value in each.items() if key != "ranks"} for each in MEMBERS]
    (found,) = placements({"gangs": {"client": {"members": members}}})

    assert found.launcher is None
    assert [worker.ranks for workers in found.nodes.values() for worker in workers] == [[0], [2], [1]]


def test_a_run_without_gangs_has_no_placements() -> None:
    """Whatever else its environment tells."""
    assert placements({"cpu": "x"}) == placements({"gangs": "?"}) == []


@pytest.mark.usefixtures("undrawn")
def test_a_report_draws_which_rank_was_where(run_recorded: RunRecorded, single_node: str) -> None:
    """With the launcher, and what it took to reach the workers."""
    backend = RecordingBackend({"client": [Outcome(output="rate=7")]})
    backend.environment = {"gangs": {"gang": {**GANG, "members": MEMBERS}}}
    record = run_recorded(single_node, backend)
    text = Page(render(RunFolder(Path(record.path or "")))).text

    assert "Intel MPI 2021.18.1; workers reached in 310 ms, ranks counted in 800 ms" in text
    for member in MEMBERS:
        assert f"{member['name']} {member['address']}" in " ".join(text.split())
    assert "no rank" in text
