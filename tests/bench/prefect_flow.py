"""Times what a flow's further tasks take on the configured Prefect server, in ours or in one written by hand."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from prefect import flow, task

from bench.scenarios import TRIVIAL, plan_of_steps
from windtunnel.backends import make_backend
from windtunnel.benchmark import parse
from windtunnel.engines.prefect import run
from windtunnel.engines.request import Request
from windtunnel.run.control import Control

MORE_TASKS = 40


def by_hand(folder: Path, tasks: int) -> None:
    """Run the commands as a person would, each one a task whose output is kept."""

    @task
    def step(number: int) -> None:
        with (folder / f"step-{number}.log").open("wb") as log:
            subprocess.run(["true"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)

    @flow(name="by-hand", persist_result=True)
    def steps() -> None:
        for number in range(tasks):
            step(number)

    steps()


def ours(folder: Path, tasks: int) -> None:
    """Run the same as a plan."""
    plan = plan_of_steps(tasks)
    request = Request(
        parse(TRIVIAL, folder / "trivial.toml"), plan, make_backend("process"), folder / "runs", Control(600)
    )
    record = run(request)
    if len(record.phases) != tasks:
        raise RuntimeError(record.reasons)


def seconds(run_flow: Callable[[Path, int], None], tasks: int) -> float:
    """Return how long a flow of so many tasks takes."""
    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        run_flow(Path(name), tasks)
        return time.perf_counter() - began


if __name__ == "__main__":
    chosen = {"ours": ours, "by-hand": by_hand}[sys.argv[1]]
    seconds(chosen, 1)  # loads what Prefect loads late
    alone = seconds(chosen, 1)
    print(seconds(chosen, 1 + MORE_TASKS) - alone)
