"""ab (ApacheBench): the report that it prints at its end; the last one counts.

What the numbers mean:

- Failures: ab does not count responses outside 2xx as failed, but does those whose length differs from the first one's
  (``-l`` allows that), and counts one request under several causes. Taken is the most frequent of these causes
  and *Non-2xx*: at least so many requests failed.
- Under ``-r`` requests are "complete" even where no server is there: without a byte transferred nothing is measured.
- latency_mean is the first *Time per request*: concurrency times duration by requests; not the second one, which is
  *across all concurrent requests* and no latency. The other latencies are of the row *Total* and of the percentile
  table, which has whole ms. A Kbyte is 1024 bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from windtunnel.parsers.base import Attempts, Measurement, MetricInfo, Parser
from windtunnel.parsers.text import NUMBER, Rows, last_run, measurements, number

_METRICS = {
    "requests": MetricInfo("count", "higher"),
    "failures": MetricInfo("count", "lower"),
    "requests_per_second": MetricInfo("1/s", "higher"),
    "transfer_rate": MetricInfo("B/s", "higher"),
    "latency_mean": MetricInfo("ms", "lower"),
    "latency_stdev": MetricInfo("ms", "lower"),
    "latency_min": MetricInfo("ms", "lower"),
    "latency_p50": MetricInfo("ms", "lower"),
    "latency_p90": MetricInfo("ms", "lower"),
    "latency_p95": MetricInfo("ms", "lower"),
    "latency_p99": MetricInfo("ms", "lower"),
    "latency_max": MetricInfo("ms", "lower"),
}
_START = re.compile(r"Concurrency Level: ")
_SUMMARY = {
    "requests": re.compile(r"Complete requests: +(\d{1,15})$"),
    "requests_per_second": re.compile(rf"Requests per second: +({NUMBER}) \[#/sec\] \(mean\)"),
    "latency_mean": re.compile(rf"Time per request: +({NUMBER}) \[ms\] \(mean\)"),
    "transfer_rate": re.compile(rf"Transfer rate: +({NUMBER}) \[Kbytes/sec\] received"),
}
_PERCENTILES = {f"latency_p{rank}": re.compile(rf" +{rank}% +(\d{{1,15}})\n") for rank in (50, 90, 95, 99)}
_ROWS = {
    **_SUMMARY,
    **_PERCENTILES,
    "transferred": re.compile(r"Total transferred: +(\d{1,18}) bytes"),
    "causes": re.compile(r" +\((Connect: \d{1,15}(?:, [A-Z][a-z]+: \d{1,15})*)\)"),
    "non_2xx": re.compile(r"Non-2xx responses: +(\d{1,15})"),
    # min, mean, sd, median and max; only min, mean and max under -S.
    "total": re.compile(rf"Total: +(\d{{1,15}}) +\d+ +(?:({NUMBER}) +\d+ +)?(\d{{1,15}})\n"),
}


def _failures(rows: Rows) -> float:
    causes = rows["causes"][1].split(", ") if "causes" in rows else []
    return max(number(rows, "non_2xx"), *(float(cause.partition(": ")[2]) for cause in causes), 0.0)


def _parse(lines: Iterable[str]) -> Iterator[Measurement | Attempts]:
    rows = last_run(lines, _START, _ROWS)
    if not rows.keys() >= _SUMMARY.keys():
        return
    values = {name: number(rows, name) for name in _SUMMARY}
    failures, is_empty = _failures(rows), number(rows, "transferred") == 0
    total = int(max(values["requests"], failures))
    yield Attempts(total, total if is_empty else int(failures))
    if values["requests"] == 0 or is_empty:
        return
    values["transfer_rate"] *= 1024
    values["failures"] = failures
    if row := rows.get("total"):
        values["latency_min"], values["latency_max"] = float(row[1]), float(row[3])
        if row[2]:
            values["latency_stdev"] = float(row[2])
    values |= {name: number(rows, name) for name in _PERCENTILES if name in rows}
    yield from measurements(_METRICS, values)


PARSER = Parser("ab", _METRICS, _parse)
