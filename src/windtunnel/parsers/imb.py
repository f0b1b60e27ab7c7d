"""Intel MPI Benchmarks: the tables of IMB-MPI1 and its sisters.

What the numbers mean (2021):

- Labels are the benchmark, the number of processes that took part, and the size of a message in bytes, if it has one.
- Times are of one operation, over the repetitions; of a ping-pong it is half of the way there and back. They have a
  minimum, maximum and mean over the processes; benchmarks of a pair have one time.
- A megabyte is 10**6 bytes. A message without content has no bandwidth; IMB prints 0.
- A row that comes twice makes all of them no result: programs that are started by another MPI than they are linked with
  are each alone, measure with one process, and print all of it.
- With ``-multi`` there are groups of processes at once, in tables of another form, which are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from windtunnel.parsers.base import Measurement, MetricInfo, Parser
from windtunnel.parsers.text import NUMBER

_METRICS = {
    "time": MetricInfo("us", "lower"),
    "time_min": MetricInfo("us", "lower"),
    "time_mean": MetricInfo("us", "lower"),
    "time_max": MetricInfo("us", "lower"),
    "bandwidth": MetricInfo("MB/s", "higher"),
    "message_rate": MetricInfo("1/s", "higher"),
}
_COLUMNS = {
    "t[usec]": "time",
    "t_min[usec]": "time_min",
    "t_avg[usec]": "time_mean",
    "t_max[usec]": "time_max",
    "Mbytes/sec": "bandwidth",
    "Msg/sec": "message_rate",
}
_OTHER_COLUMNS = {"#bytes", "#repetitions"}
_BENCHMARK = re.compile(r"# Benchmarking (\w{1,80}) *$")
_PROCESSES = re.compile(r"# #processes = (\d{1,15}) *$")
_RULE = "#-----"
# Of a program that was killed while it printed a row, the last number may lack digits.
_ROW = re.compile(rf" *{NUMBER}(?: +{NUMBER}){{1,8}} *\n")


class _Tables:
    """The tables of an output: what the one that is being read is about, its columns, and what was found."""

    def __init__(self) -> None:
        self.found: list[Measurement] = []
        self.labels: dict[str, str] = {}
        self.columns: list[str] = []

    def read(self, line: str) -> None:
        """Read the next line."""
        if match := _BENCHMARK.match(line):
            self.labels, self.columns = {"benchmark": match[1]}, []
        elif match := _PROCESSES.match(line):
            self.labels["processes"] = match[1]
        elif "#repetitions" in line:
            self._read_header(line.split())
        elif self.columns and _ROW.match(line):
            self._read_row(line.split())
        elif not line.startswith(_RULE):
            self.columns = []

    def _read_header(self, columns: list[str]) -> None:
        is_known = set(columns) <= _COLUMNS.keys() | _OTHER_COLUMNS
        self.columns = columns if is_known and self.labels.keys() == {"benchmark", "processes"} else []

    def _read_row(self, cells: list[str]) -> None:
        if len(cells) != len(self.columns):
            return
        row = dict(zip(self.columns, cells, strict=True))
        labels = self.labels | ({"size": row["#bytes"]} if "#bytes" in row else {})
        for column, metric in _COLUMNS.items():
            if column in row and not (metric == "bandwidth" and row["#bytes"] == "0"):
                self.found.append(Measurement(metric, float(row[column]), _METRICS[metric].unit, dict(labels)))


def _parse(lines: Iterable[str]) -> Iterator[Measurement]:
    tables = _Tables()
    for line in lines:
        tables.read(line)
    seen = {(item.metric, *item.labels.values()) for item in tables.found}
    if len(seen) == len(tables.found):
        yield from tables.found


PARSER = Parser("imb", _METRICS, _parse)
