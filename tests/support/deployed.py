"""Benchmarks that tests deploy to a Prefect server, and what runs below its processes."""

from __future__ import annotations

import psutil

from support.lab import single_node
from support.prefect_lab import PrefectLab

_RATE = """
[run]
repeats = 3
[[metrics]]
name = "rate"
unit = "1/s"
pattern = 'rate=([0-9]+)'
"""
SHORT = single_node(["sh", "-c", "echo rate=$$((40 + $ITERATION))"], _RATE, 'labels = { team = "caching" }')
"""A benchmark that takes no time, of 41, 42 and 43."""
FINAL_SECONDS = 120
"""Within so many seconds of a fault, a run has to be in a final state."""


def slow(name: str, seconds: int, timeout: str = "10m", repeats: int = 1) -> str:
    """Return a benchmark whose iterations take so long and print a rate first."""
    tables = f"[run]\nrepeats = {repeats}\n[[metrics]]\nname = 'rate'\npattern = 'rate=([0-9]+)'"
    text = single_node(["sh", "-c", f"echo rate=$$ITERATION; sleep {seconds}"], tables, f'timeout = "{timeout}"')
    return text.replace('"alone"', f'"{name}"')


def deploy(server: PrefectLab, name: str, text: str, *options: str) -> str:
    """Deploy a benchmark under a name and return the deployment's."""
    (server.path / f"{name}.toml").write_text(text)
    result = server.windtunnel("deploy", f"{name}.toml", *options)
    assert result.returncode == 0, result.stderr
    return f"single-node/{name}"


def descendants(pid: int) -> list[int]:
    """Return all processes below one."""
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]
