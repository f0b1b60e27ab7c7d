"""Strategies: pure functions from a benchmark to its plan."""

from __future__ import annotations

from collections.abc import Callable

from windtunnel.benchmark import Benchmark
from windtunnel.plan import Plan
from windtunnel.strategies import client_server, single_node

STRATEGIES: dict[str, Callable[[Benchmark], Plan]] = {
    "single-node": single_node.plan,
    "client-server": client_server.plan,
}


def make_plan(benchmark: Benchmark) -> Plan:
    """Return the plan of `benchmark` by its strategy.

    Raises:
        PlanError: The steps do not fit together.
    """
    return STRATEGIES[benchmark.benchmark.strategy](benchmark)
