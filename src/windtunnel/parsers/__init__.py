"""What well-known load generators print, read into measurements. Pure text in, data out.

Each parser documents its metrics with their units in `Parser.metrics`; those names are
stable, and a benchmark file may select among them.
"""

from __future__ import annotations

from windtunnel.parsers.ab import AB
from windtunnel.parsers.base import Attempts, Measurement, Parser
from windtunnel.parsers.locust import LOCUST
from windtunnel.parsers.pgbench import PGBENCH
from windtunnel.parsers.redis_benchmark import REDIS_BENCHMARK
from windtunnel.parsers.siege import SIEGE
from windtunnel.parsers.wrk import WRK
from windtunnel.suggest import suggest

__all__ = ["PARSERS", "Attempts", "Measurement", "Parser", "check_metric", "check_name"]

_ALL = (AB, LOCUST, PGBENCH, REDIS_BENCHMARK, SIEGE, WRK)
PARSERS: dict[str, Parser] = {parser.name: parser for parser in _ALL}


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
