"""The benchmark files of `tasks/`: ready to run, and named after their folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from windtunnel.benchmark import load
from windtunnel.strategies import make_plan

TASKS = sorted((Path(__file__).parents[2] / "tasks").glob("*/benchmark.toml"))


@pytest.mark.parametrize("file", TASKS, ids=lambda file: file.parent.name)
def test_a_task_has_a_plan_as_it_is(file: Path) -> None:
    """Nothing has to be filled in."""
    benchmark = load(file).benchmark
    assert benchmark.benchmark.name == file.parent.name
    assert make_plan(benchmark).steps
