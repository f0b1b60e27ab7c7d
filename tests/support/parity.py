"""Parity of engines on a cluster: benchmarks of every strategy, and what has to be the same of their runs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from support.docker_lab import client_server, gang, single_node
from support.lab import is_valid

RUN = "[run]\nwarmup = 1\nrepeats = 1\n"
SCRIPT = "echo rate=$ITERATION; echo kept > $WINDTUNNEL_OUT/kept.txt"
RATE = '[[metrics]]\nname = "rate"\nunit = "1/s"\nbetter = "higher"\npattern = "rate=([0-9]+)"\n'
CASES = {
    "single-node": lambda: single_node(["sh", "-c", SCRIPT], RUN + RATE),
    "client-server": lambda: client_server(tables=RUN, client_keys='files = { "a.txt" = "$$x {{y}}" }'),
    "same-pod": lambda: client_server(tables=RUN, server_keys='placement = "same-pod"'),
    "mpi": lambda: gang('launcher = "openmpi"', tables=RUN + RATE),
    "members": lambda: gang('launcher = "none"', tables=RUN + RATE),
    "fresh": lambda: client_server(tables=f"{RUN}fresh = true\n"),
}
"""A new strategy joins by a line here, under its name."""


def shape(record: dict[str, Any], lines: Iterable[dict[str, Any]], files: Iterable[str]) -> dict[str, Any]:
    """Return what has to be the same on every engine.

    Args:
        record: The run's record.
        lines: Its events.
        files: The paths in its folder.
    """
    # Where a run is kept is not the engine's.
    told = [each for each in lines if each["type"] not in {"note", "uploading"}]
    return {
        "events": [(each["type"], each.get("step"), each.get("iteration")) for each in told],
        "metrics": {name: (m["unit"], m["better"], m["n"]) for name, m in record["metrics"].items()},
        "verdict": (record["status"], record["exit_code"], record["cause"]),
        "valid": is_valid(record),
        "phases": [(p["step"], p["phase"], p["iteration"], p["warmup"]) for p in record["phases"]],
        "left": record["resources"]["left"],
        "files": sorted(path for path in files if path.startswith(("logs/", "artifacts/"))),
    }


def shape_here(record: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return it of a run whose folder is on this machine."""
    files = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    return shape(record, lines_in(folder), files)


def lines_in(folder: Path) -> list[dict[str, Any]]:
    """Return all events of a run, from its folder."""
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
