"""mpi4py's own benchmarks: the table of ``python -m mpi4py.bench pingpong``.

What the numbers mean (4):

- The label ``size`` is that of a message in bytes. Times are half of the way there and back, their mean and deviation
  over the repetitions; under ``--no-stats`` there are none.
- bandwidth is size by mean time, a megabyte being 10**6 bytes. It is printed with two digits, 0.00 for a byte.
- Two tables are no result: programs that are started by another MPI than they are linked with are each alone, measure
  how they send to themselves, and print a table each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from windtunnel.parsers.base import Measurement, MetricInfo, Parser
from windtunnel.parsers.text import NUMBER, measurements

_METRICS = {
    "time_mean": MetricInfo("us", "lower"),
    "time_stdev": MetricInfo("us", "lower"),
    "bandwidth": MetricInfo("MB/s", "higher"),
}
_START = "# MPI PingPong Test"
_SECONDS = rf"({NUMBER}e[+-]\d\d)"
# Of a program that was killed while it printed a row, the last number may lack digits.
_ROW = re.compile(rf" *(\d{{1,15}}) +({NUMBER})(?: \| {_SECONDS} ± {_SECONDS} +\d{{1,15}})? *\n")


def _parse(lines: Iterable[str]) -> Iterator[Measurement]:
    tables = 0
    rows: dict[str, dict[str, float]] = {}
    for line in lines:
        if line.startswith(_START):
            tables += 1
        elif tables == 1 and (match := _ROW.match(line)):
            rows[match[1]] = _values(match)
    if tables == 1:
        for size, values in rows.items():
            yield from measurements(_METRICS, values, {"size": size})


def _values(row: re.Match[str]) -> dict[str, float]:
    """Return what a row says; of a bandwidth that is printed as 0.00, nothing."""
    size, bandwidth, mean, stdev = row.groups()
    if mean is None:
        return {"bandwidth": float(bandwidth)} if float(bandwidth) else {}
    seconds = float(mean)
    times = {"time_mean": seconds * 1e6, "time_stdev": float(stdev) * 1e6}
    return times | ({"bandwidth": int(size) / seconds / 1e6} if seconds else {})


PARSER = Parser("mpi4py-bench", _METRICS, _parse)
