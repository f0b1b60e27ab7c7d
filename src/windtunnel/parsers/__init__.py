"""What well-known load generators and benchmarks print, read into measurements. Pure text in, data out.

Each parser documents its metrics with their units in `Parser.metrics`; those names are
stable, and a benchmark file may select among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from windtunnel.extras import load
from windtunnel.parsers.base import Attempts, Measurement, Parser
from windtunnel.suggest import suggest

__all__ = ["PARSERS", "Attempts", "Measurement", "Parser", "check_metric", "check_name"]

_NAMES = ("ab", "hpcc", "imb", "locust", "mpi4py-bench", "pgbench", "redis-benchmark", "siege", "wrk")


class _Table(Mapping[str, Parser]):
    """The parsers by name; a parser is imported when it is asked for, since each takes time to compile."""

    def __getitem__(self, name: str) -> Parser:
        if name not in _NAMES:
            raise KeyError(name)
        return cast("Parser", load(f"windtunnel.parsers.{name.replace('-', '_')}:PARSER"))

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)


PARSERS = _Table()


def check_name(name: str) -> str:
    """Return `name` if it is a parser's.

    Raises:
        ValueError: No parser is called so; the text lists the parsers.
    """
    if name not in PARSERS:
        msg = f"{name!r} is not a parser{suggest(name, PARSERS)} (allowed: {', '.join(PARSERS)})"
        raise ValueError(msg)
    return name


def check_metric(parser: str, metric: str, unit: str | None = None) -> None:
    """Check that `parser` gives `metric`, and in that unit if one is said.

    Raises:
        ValueError: The parser does not; the text says what it gives.
    """
    known = PARSERS[parser].metrics
    if metric not in known:
        msg = f"{parser} gives no {metric!r}{suggest(metric, known)} (it gives: {', '.join(known)})"
        raise ValueError(msg)
    if unit and unit != known[metric].unit:
        msg = f"{parser} gives {metric} in {known[metric].unit}, not in {unit}; leave the unit out"
        raise ValueError(msg)
