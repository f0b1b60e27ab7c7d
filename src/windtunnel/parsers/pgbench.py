"""pgbench: the report that it prints at its end; the last one counts. The label ``script`` is the script's name.

With several scripts the report has one section each; what they did together is labelled as pgbench does, *multiple
scripts*. Of a file the name is kept, not the folder; a name that comes again gets the script's number.

What the numbers mean (15, and the older formats from 9.6 on):

- transactions are those that succeeded; failures ended in a serialization error or a deadlock (15 and newer say so),
  and skipped ones were never started, being late for ``--rate`` under ``--latency-limit``.
- transactions_per_second leaves out the time of the first connects; under ``-C`` each connect is in it.
- latency_mean is measured under ``--progress``, ``--rate`` or ``--latency-limit`` and for each of several scripts, with
  latency_stdev. Else it is clients times duration by transactions, failed ones included. With ``--rate`` it counts from
  when a transaction was due.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from windtunnel.parsers.base import Attempts, Measurement, MetricInfo, Parser
from windtunnel.parsers.text import NUMBER, Rows, any_of, measurements, number, take

_METRICS = {
    "transactions": MetricInfo("count", "higher"),
    "failures": MetricInfo("count", "lower"),
    "skipped": MetricInfo("count", "lower"),
    "transactions_per_second": MetricInfo("1/s", "higher"),
    "latency_mean": MetricInfo("ms", "lower"),
    "latency_stdev": MetricInfo("ms", "lower"),
}
_START = re.compile(r"transaction type: (.*)$")
_SCRIPT = re.compile(r"SQL script (\d+): (.+)$")
_BUILTIN = re.compile(r"<builtin: (.+)>")
_MOST_SCRIPTS = 128
"""As many as pgbench takes."""
_ROWS = {
    "transactions": re.compile(r"number of transactions actually processed: (\d{1,15})(?:/\d+)?$"),
    "transactions_per_second": re.compile(
        rf"tps = ({NUMBER}) \((?:without initial|including reconnection|excluding connections)"
    ),
    "failures": re.compile(r"number of failed transactions: (\d{1,15}) \("),
    "skipped": re.compile(r"number of transactions skipped: (\d{1,15}) \("),
    "latency_mean": re.compile(rf"latency average = ({NUMBER}) ms"),
    "latency_stdev": re.compile(rf"latency stddev = ({NUMBER}) ms"),
}
# In a script's section rows stand behind a dash, and one has both the transactions and their rate.
_SCRIPT_ROWS = {
    "transactions": re.compile(r" - (\d{1,15}) transactions \("),
    "transactions_per_second": re.compile(rf" - \d+ transactions \({NUMBER}% of total, tps = ({NUMBER})\)"),
    **{
        name: re.compile(f" - {_ROWS[name].pattern}")
        for name in ("failures", "skipped", "latency_mean", "latency_stdev")
    },
}
_IS_ROW = any_of([*_ROWS.values(), *_SCRIPT_ROWS.values()])


@dataclass
class _Report:
    """The report of one run.

    Attributes:
        kind: The transaction type that the report begins with.
        rows: The report's rows.
        head: The rows before the first script's section.
        scripts: Each script's number, name and rows.
    """

    kind: str
    rows: Rows = field(default_factory=dict)
    head: Rows = field(default_factory=dict)
    scripts: list[tuple[str, str, Rows]] = field(default_factory=list)

    def read(self, line: str) -> None:
        """Read the report's next line."""
        if match := _SCRIPT.match(line):
            if len(self.scripts) < _MOST_SCRIPTS:
                self.scripts.append((match[1], match[2], {}))
        elif _IS_ROW.match(line):
            take(line, _ROWS, self.rows)
            if not self.scripts:
                self.head = dict(self.rows)
            else:
                take(line, _SCRIPT_ROWS, self.scripts[-1][2])


def _values(rows: Rows) -> dict[str, float]:
    """Return a report's or a script's values; none without a successful transaction."""
    values = {name: number(rows, name) for name in _ROWS if name in rows}
    return values if values.get("transactions") and "transactions_per_second" in values else {}


def _name(printed: str) -> str:
    """Return a script's name without what stands around it."""
    printed = printed.strip()
    builtin = _BUILTIN.fullmatch(printed)
    return builtin[1] if builtin else printed.rpartition("/")[2] or printed


def _parse(lines: Iterable[str]) -> Iterator[Measurement | Attempts]:
    report: _Report | None = None
    for line in lines:
        if match := _START.match(line):
            report = _Report(match[1])
        elif report:
            report.read(line)
    if not report or not report.kind:
        return
    if "transactions" in report.head:
        processed, failures = number(report.head, "transactions"), number(report.head, "failures")
        yield Attempts(int(processed + failures), int(failures))
    yield from measurements(_METRICS, _values(report.rows), {"script": _name(report.kind)})
    seen: set[str] = set()
    for script, printed, rows in report.scripts:
        name = _name(printed)
        label = f"{name} #{script}" if name in seen else name
        seen.add(name)
        yield from measurements(_METRICS, _values(rows), {"script": label})


PARSER = Parser("pgbench", _METRICS, _parse)
