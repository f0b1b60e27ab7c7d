"""wrk: the summary that it prints at its end, with the percentiles of ``--latency``; the last one counts.

What the numbers mean (4.1):

- Failures are socket errors (connect, read, write, timeout) and responses with a status from 400 on. Requests are the
  responses, late ones and those with such a status included.
- Latencies are of all responses but those later than ``--timeout``: with these alone there are none. Where connections
  were held up, wrk adds the latencies of the requests that it would have sent (*coordinated omission*).
- Times are printed in us, ms, s or m; the prefixes of bytes are powers of 1024. Without ``--latency`` there are no
  percentiles.
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
    "latency_max": MetricInfo("ms", "lower"),
    "latency_p50": MetricInfo("ms", "lower"),
    "latency_p90": MetricInfo("ms", "lower"),
    "latency_p99": MetricInfo("ms", "lower"),
}
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0}
_BYTES = {prefix: 1024.0**power for power, prefix in enumerate(["", "K", "M", "G", "T", "P"])}
_TIME = rf"({NUMBER})(us|ms|s|m|h)"
_START = re.compile(r"Running \S+ test @ ")
_PERCENTILES = {f"latency_p{rank}": re.compile(rf" +{rank}% +{_TIME} *$") for rank in (50, 90, 99)}
_ROWS = {
    **_PERCENTILES,
    "requests": re.compile(rf" +(\d{{1,15}}) requests in {NUMBER}[a-z]+, "),
    "rate": re.compile(rf"Requests/sec: +({NUMBER})$"),
    "transfer": re.compile(rf"Transfer/sec: +({NUMBER})([KMGTP]?)B$"),
    "latency": re.compile(rf" +Latency +{_TIME} +{_TIME} +{_TIME} +{NUMBER}%"),
    "socket_errors": re.compile(
        r" +Socket errors: connect (\d{1,15}), read (\d{1,15}), write (\d{1,15}), timeout (\d{1,15})"
    ),
    "status_errors": re.compile(r" +Non-2xx or 3xx responses: (\d{1,15})"),
}


def _latencies(rows: Rows) -> Iterator[tuple[str, float]]:
    """Yield the latencies in ms; none where the share within one deviation is not a number, for want of responses."""
    if not (match := rows.get("latency")):
        return
    for index, name in enumerate(["mean", "stdev", "max"]):
        printed, unit = match.group(2 * index + 1, 2 * index + 2)
        yield f"latency_{name}", float(printed) * _MILLISECONDS[unit]
    for name in _PERCENTILES:
        if name in rows:
            printed, unit = rows[name].groups()
            yield name, float(printed) * _MILLISECONDS[unit]


def _parse(lines: Iterable[str]) -> Iterator[Measurement | Attempts]:
    rows = last_run(lines, _START, _ROWS)
    requests, rate, transfer = number(rows, "requests"), rows.get("rate"), rows.get("transfer")
    if rate is None or transfer is None:
        return
    *lost, late = map(float, rows["socket_errors"].groups() if "socket_errors" in rows else (0, 0, 0, 0))
    refused = number(rows, "status_errors")
    # A late response may have such a status too; what was lost on the way is no request to wrk.
    yield Attempts(int(requests + sum(lost)), int(min(requests, max(late, refused)) + sum(lost)))
    if requests == 0:
        return
    values = {
        "requests": requests,
        "failures": sum(lost) + late + refused,
        "requests_per_second": float(rate[1]),
        "transfer_rate": float(transfer[1]) * _BYTES[transfer[2]],
        **dict(_latencies(rows)),
    }
    yield from measurements(_METRICS, values)


PARSER = Parser("wrk", _METRICS, _parse)
