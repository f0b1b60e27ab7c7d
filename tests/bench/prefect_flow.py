"""Times one flow of trivial tasks on the configured Prefect server, ours or one written by hand."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from prefect import flow, task

from bench.scenarios import TRIVIAL, plan_of_steps
from windtunnel.backends import make_backend
from windtunnel.benchmark import parse
from windtunnel.engines.prefect import run
from windtunnel.engines.request import Request
from windtunnel.run.control import Control

TASKS = 40


def by_hand(folder: Path) -> None:
    """Run the commands as a person would, each one a task whose output is kept."""

    @task
    def step(number: int) -> None:
        with (folder / f"step-{number}.log").open("wb") as log:
            subprocess.run(["true"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)

    @flow(name="by-hand", persist_result=True)
    def steps() -> None:
        for number in range(TASKS):
            step(number)

    steps()


def ours(folder: Path) -> None:
    """Run the same as a plan."""
    plan = plan_of_steps(TASKS)
    request = Request(
        parse(TRIVIAL, folder / "trivial.toml"), plan, make_backend("process"), folder / "runs", Control(600)
    )
    record = run(request)
    if len(record.phases) != TASKS:
        raise RuntimeError(record.reasons)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        {"ours": ours, "by-hand": by_hand}[sys.argv[1]](Path(name))
        print(time.perf_counter() - began)
