"""single-node: one job, nothing else."""

from __future__ import annotations

from windtunnel.benchmark import Benchmark
from windtunnel.plan import Plan
from windtunnel.strategies.build import build_job, build_plan


def plan(benchmark: Benchmark) -> Plan:
    """Return the plan of a benchmark that is one process."""
    return build_plan(benchmark, (build_job(benchmark),))
