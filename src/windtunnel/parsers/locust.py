"""locust: the closing tables that ``locust --headless --only-summary`` prints.

Read are the ``Aggregated`` rows of the last statistics table and of the percentile table.
locust rounds response times: to 1 ms below 100 ms, to two digits above.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from windtunnel.parsers.base import Attempts, Measurement, MetricInfo, Parser
from windtunnel.parsers.text import NUMBER

_STATISTICS = re.compile(
    rf"\s*Aggregated\s+(?P<requests>\d{{1,15}})\s+(?P<failures>\d{{1,15}})\({NUMBER}%\)\s*\|"
    rf"\s*(?P<mean>{NUMBER})\s+(?P<min>{NUMBER})\s+(?P<max>{NUMBER})\s+(?P<median>{NUMBER})\s*\|"
    rf"\s*(?P<rps>{NUMBER})\s+(?P<fps>{NUMBER})"
)
_PERCENTILES = re.compile(rf"\s*Aggregated\s+((?:{NUMBER}\s+){{11}}\d+)\s*$")
# The columns: 50% 66% 75% 80% 90% 95% 98% 99% 99.9% 99.99% 100% # reqs
_COLUMNS = {"latency_p50": 0, "latency_p90": 4, "latency_p95": 5, "latency_p99": 7, "latency_p999": 8}

_METRICS = {
    "requests": MetricInfo("count", "higher"),
    "failures": MetricInfo("count", "lower"),
    "requests_per_second": MetricInfo("1/s", "higher"),
    "failures_per_second": MetricInfo("1/s", "lower"),
    "latency_mean": MetricInfo("ms", "lower"),
    "latency_min": MetricInfo("ms", "lower"),
    "latency_max": MetricInfo("ms", "lower"),
    **{name: MetricInfo("ms", "lower") for name in _COLUMNS},
}


def _parse(lines: Iterable[str]) -> Iterator[Measurement | Attempts]:
    values: dict[str, str] = {}
    percentiles: list[str] = []
    for line in lines:
        if "Aggregated" not in line:
            continue
        if match := _STATISTICS.match(line):
            values = {
                "requests": match["requests"],
                "failures": match["failures"],
                "requests_per_second": match["rps"],
                "failures_per_second": match["fps"],
                "latency_mean": match["mean"],
                "latency_min": match["min"],
                "latency_max": match["max"],
            }
        elif match := _PERCENTILES.match(line):
            percentiles = match[1].split()
    if not values:
        return
    yield Attempts(int(values["requests"]), int(values["failures"]))
    if values["requests"] == "0":
        return
    if percentiles:
        values |= {name: percentiles[index] for name, index in _COLUMNS.items()}
    for name, value in values.items():
        yield Measurement(name, float(value), _METRICS[name].unit)


PARSER = Parser("locust", _METRICS, _parse)
