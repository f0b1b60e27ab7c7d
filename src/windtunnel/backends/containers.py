"""What steps in containers have alike on every platform: folders, ports, how an end is told."""

from __future__ import annotations

import random
import signal
from dataclasses import replace
from pathlib import PurePosixPath

from windtunnel.plan import Job, Plan, Service

HOME = PurePosixPath("/windtunnel")
WORK = HOME / "work"
RESULTS = HOME / "results"
PYTHON = HOME / "python"
"""Where a step finds its Python environment, if it has one."""
OUT, METRICS = RESULTS / "out", RESULTS / "metrics.jsonl"
_PORTS = range(20_000, 30_000)
"""Free in a container's own namespace: below those that Linux gives to outgoing connections."""
_MASTER_PORT = 29_500
"""Where the first member of a job is reached by the others: PyTorch's default (*torch.distributed.run*)."""
_SIGNALLED = 128
"""A command that signal N killed ends, as init, shells and runtimes count it, with status 128 + N."""


def choose_port(step: Service | Job) -> int | None:
    """Return the port of a step, any free one if it says 0; None if it has none."""
    if isinstance(step, Job):
        return _MASTER_PORT if step.size else None
    if step.port != 0:
        return step.port
    return random.choice(_PORTS)  # noqa: S311 - no secret


def with_ports(plan: Plan, seed: str) -> Plan:
    """Return a plan in which each port that is any free one is chosen; the same ones for the same seed."""
    ports = iter(random.Random(seed).sample(_PORTS, len(plan.steps)))  # noqa: S311 - no secret
    steps = [
        replace(step, port=next(ports)) if isinstance(step, Service) and step.port == 0 else step for step in plan.steps
    ]
    return replace(plan, steps=tuple(steps))


def signalled(number: int) -> int:
    """Return the status that a container ends with whose command a signal killed."""
    return _SIGNALLED + number


def exit_status(code: int) -> int:
    """Return a container's exit status as `subprocess` counts it: -N for signal N."""
    number = code - _SIGNALLED
    return -number if number in signal.valid_signals() else code
