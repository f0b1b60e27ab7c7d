"""What the scenarios measure with: whole processes, and the gap between two programs' clocks."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path


def timed(command: list[str], folder: Path) -> float:
    """Return the seconds that a command takes as a whole process."""
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def last_run(folder: Path, name: str) -> Path:
    """Return the folder of the last run of a benchmark."""
    return max((folder / "runs").glob(f"{name}-*"), key=lambda path: path.stat().st_mtime)


def last_gap(folder: Path, name: str = "one-second") -> float:
    """Return the gap in the last run of a benchmark."""
    logs = last_run(folder, name) / "logs"
    return gap(logs / "server.log", logs / "client.1.log")


def gap(server_log: Path, client_log: Path) -> float:
    """Return the seconds from the server's first answer to its probe to the client's start."""
    stamps = {}
    for log in (server_log, client_log):
        for line in log.read_text().splitlines():
            key, _, value = line.partition("=")
            if key in {"first-answer", "client"}:
                stamps[key] = float(value)
    return stamps["client"] - stamps["first-answer"]
