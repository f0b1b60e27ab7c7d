"""siege: the table that it prints to standard error, and the JSON of ``--json-output``; the last of them counts.

What the numbers mean (4.0 and 4.1):

- requests are its transactions: responses other than 408 and 5xx. Failures are its failed transactions (no response,
  408, 5xx) and the transactions that were not successful (other 4xx), which it does not call failed.
- Response times are read from a clock with steps of 10 ms, so that the shortest is often 0. Their mean is over
  transactions, but holds the time of failed ones too. It is printed in steps of 10 ms (JSON, table before 4.1.6);
  concurrency by transaction rate is the same quotient, and taken where it is finer.
- A run shorter than 10 ms has an elapsed time of 0, and neither rates nor latencies. A megabyte is 2**20 bytes, and
  throughput has two digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from windtunnel.parsers.base import Attempts, Measurement, MetricInfo, Parser
from windtunnel.parsers.text import measurements

_METRICS = {
    "requests": MetricInfo("count", "higher"),
    "failures": MetricInfo("count", "lower"),
    "availability": MetricInfo("%", "higher"),
    "requests_per_second": MetricInfo("1/s", "higher"),
    "transfer_rate": MetricInfo("B/s", "higher"),
    "concurrency": MetricInfo("count"),
    "latency_mean": MetricInfo("ms", "lower"),
    "latency_min": MetricInfo("ms", "lower"),
    "latency_max": MetricInfo("ms", "lower"),
}
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
# A row of either form: `Response time:  0.01 secs`, or `"response_time":  0.01,`; 4.0 has the first after the brace.
_ROW = re.compile(
    r'\{?[ \t]*"?(?P<name>[A-Za-z]+(?:[ _][a-z]+)?)"?:[ \t]*(?P<value>\d{1,12}(?:\.\d\d)?)'
    r"(?:,|[ \t]*(?P<unit>[A-Za-z%/]*))[ \t]*\n"
)
_TIMES = {"response_time", "longest_transaction", "shortest_transaction"}
_NEEDED = _TIMES | {
    "transactions",
    "availability",
    "elapsed_time",
    "transaction_rate",
    "throughput",
    "concurrency",
    "successful_transactions",
    "failed_transactions",
}
_MEGABYTE = 2**20


def _tables(lines: Iterable[str]) -> Iterator[dict[str, float]]:
    """Yield the rows of each whole table or object, times and the step that they are rounded to in ms."""
    rows: dict[str, float] = {}
    for line in lines:
        if ":" not in line or not (match := _ROW.match(_COLOUR.sub("", line))):
            continue
        name = match["name"].lower().replace(" ", "_")
        if name == "transactions":
            rows = {}
        value = float(match["value"])
        if name in _TIMES and match["unit"] != "ms":
            value *= 1000
            rows["step"] = 10
        rows[name] = value
        if name == "shortest_transaction" and rows.keys() >= _NEEDED:
            yield rows


def _mean(rows: Mapping[str, float]) -> float:
    """Return the mean response time in ms: as printed, or finer within what was rounded off."""
    printed = rows["response_time"]
    if rows["transaction_rate"] == 0:
        return printed
    quotient = 1000 * rows["concurrency"] / rows["transaction_rate"]
    return quotient if abs(quotient - printed) <= rows.get("step", 0) / 2 else printed


def _parse(lines: Iterable[str]) -> Iterator[Measurement | Attempts]:
    rows: dict[str, float] = {}
    for table in _tables(lines):
        rows = table
    if not rows:
        return
    unsuccessful = max(0.0, rows["transactions"] - rows["successful_transactions"])
    failures = rows["failed_transactions"] + unsuccessful
    yield Attempts(int(rows["transactions"] + rows["failed_transactions"]), int(failures))
    if rows["transactions"] == 0:
        return
    values = {
        "requests": rows["transactions"],
        "failures": failures,
        "availability": rows["availability"],
    }
    if rows["elapsed_time"] > 0:
        values |= {
            "requests_per_second": rows["transaction_rate"],
            "transfer_rate": rows["throughput"] * _MEGABYTE,
            "concurrency": rows["concurrency"],
            "latency_mean": _mean(rows),
            "latency_min": rows["shortest_transaction"],
            "latency_max": rows["longest_transaction"],
        }
    yield from measurements(_METRICS, values)


PARSER = Parser("siege", _METRICS, _parse)
