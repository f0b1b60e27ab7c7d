"""The same benchmark on every way to run it, and where the seconds go."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from support.lab import client_server
from support.prefect_lab import PrefectLab

TEXT = client_server(tables="[run]\nrepeats = 3")
WAYS = ("inline", "prefect, temporary server", "prefect, with server", "prefect, by worker")


@dataclass(frozen=True)
class Timing:
    """Seconds of one run: until it begins, the run itself, and from its end to that of the whole."""

    before: float
    run: float
    after: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.before + self.run + self.after


def compare_engines(rounds: int, say: Callable[[str], None]) -> Table:
    """Run one benchmark each way, in turn, and return the medians as a table."""
    with tempfile.TemporaryDirectory(prefix="windtunnel-engines-") as folder:
        lab = PrefectLab(Path(folder))
        (lab.path / "benchmark.toml").write_text(TEXT)
        try:
            say("engines: starting a Prefect server and a worker")
            lab.prepare()
            lab.start_worker("worker")
            found: dict[str, list[Timing]] = {way: [] for way in WAYS}
            for number in range(rounds + 1):
                for way in WAYS:
                    timing = _time(lab, way)
                    say(f"engines, round {number} of {rounds}: {way} {timing.total:.2f} s")
                    # The first round fills caches that the others find filled.
                    if number:
                        found[way].append(timing)
        finally:
            lab.end_all()
    return _table(found, rounds)


def _time(lab: PrefectLab, way: str) -> Timing:
    began = time.time()
    if way == "prefect, by worker":
        record = lab.record_of(lab.start("client-server/windtunnel", benchmark={"toml": TEXT}))
    else:
        server = {"prefect, with server": lab.env["PREFECT_API_URL"]}.get(way)
        record = json.loads(_command(lab, "inline" if way == "inline" else "prefect", server))
    ended = time.time()
    started, finished = (datetime.fromisoformat(record[key]).timestamp() for key in ("started", "finished"))
    return Timing(started - began, finished - started, ended - finished)


def _command(lab: PrefectLab, engine: str, server: str | None) -> str:
    env = {key: value for key, value in lab.env.items() if key != "PREFECT_API_URL"}
    if server is None:
        # A temporary server has a database of its own: two on one file would wait for each other.
        env["PREFECT_HOME"] = str(lab.path / "temporary")
        env["PREFECT_SERVER_EPHEMERAL_ENABLED"] = "true"
    else:
        env["PREFECT_API_URL"] = server
    return lab.call("windtunnel", "run", "benchmark.toml", "--engine", engine, "--json", env=env).stdout


def _table(found: dict[str, list[Timing]], rounds: int) -> Table:
    title = f"one benchmark of three short iterations; seconds, medians of {rounds} interleaved rounds"
    table = Table("the same benchmark", "in all", "added", "until the run begins", "the run", "after it", title=title)
    inline = statistics.median(timing.total for timing in found["inline"])
    for way, timings in found.items():
        middle: dict[str, Any] = {
            key: statistics.median(getattr(timing, key) for timing in timings)
            for key in ("total", "before", "run", "after")
        }
        table.add_row(
            way,
            *(
                f"{value:.2f}"
                for value in (
                    middle["total"],
                    middle["total"] - inline,
                    middle["before"],
                    middle["run"],
                    middle["after"],
                )
            ),
        )
    return table
