"""Strategies: pure functions from a benchmark to its plan. One table; a strategy is imported when it is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from windtunnel.extras import load

if TYPE_CHECKING:
    from windtunnel.benchmark import Benchmark
    from windtunnel.plan import Plan


@dataclass(frozen=True)
class Strategy:
    """A row of the table.

    Attributes:
        plan: The function that makes the plan of a benchmark, as ``module:function``.
        servers: Whether a benchmark has servers; it has to have one then.
        gang: Whether it has a gang; it has to have one then.
    """

    plan: str
    servers: bool
    gang: bool = False

    @property
    def module(self) -> str:
        """What its module is called, and its sample benchmark, its flow and its template like that."""
        return self.plan.partition(":")[0].rpartition(".")[2]


STRATEGIES = {
    "single-node": Strategy("windtunnel.strategies.single_node:plan", servers=False),
    "client-server": Strategy("windtunnel.strategies.client_server:plan", servers=True),
    "mpi": Strategy("windtunnel.strategies.mpi_job:plan", servers=False, gang=True),
}
"""The strategies by name. All else that has to know which there are reads it here."""


def make_plan(benchmark: Benchmark) -> Plan:
    """Return the plan of `benchmark` by its strategy.

    Raises:
        PlanError: The steps do not fit together.
    """
    return cast("Plan", load(STRATEGIES[benchmark.benchmark.strategy].plan)(benchmark))
