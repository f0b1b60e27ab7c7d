"""Times the tasks of one flow on the configured Prefect server, in ours or in one written by hand.

From the flow's first act to its last: at a flow's end Prefect waits for its heartbeat's next second.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from prefect import flow, task

from bench.scenarios import TRIVIAL, plan_of_steps
from windtunnel.backends import make_backend
from windtunnel.benchmark import parse
from windtunnel.engines.prefect import run
from windtunnel.engines.request import Request
from windtunnel.run.control import Control

TASKS = 40


def by_hand(folder: Path) -> float:
    """Run the commands as a person would, each one a task whose output is kept; return the seconds that they took."""

    @task
    def step(number: int) -> None:
        with (folder / f"step-{number}.log").open("wb") as log:
            subprocess.run(["true"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)

    @flow(name="by-hand", persist_result=True)
    def steps() -> float:
        began = time.perf_counter()
        for number in range(TASKS):
            step(number)
        return time.perf_counter() - began

    return steps()


def ours(folder: Path) -> float:
    """Run the same as a plan; return the seconds that it took."""
    request = Request(
        parse(TRIVIAL, folder / "trivial.toml"),
        plan_of_steps(TASKS),
        make_backend("process"),
        folder / "runs",
        Control(600),
    )
    record = run(request)
    if len(record.phases) != TASKS or not (record.started and record.finished):
        raise RuntimeError(record.reasons)
    return (datetime.fromisoformat(record.finished) - datetime.fromisoformat(record.started)).total_seconds()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print({"ours": ours, "by-hand": by_hand}[sys.argv[1]](Path(name)))
