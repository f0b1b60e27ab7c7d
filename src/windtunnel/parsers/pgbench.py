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
from collections.abc import Iterator

from windtunnel.parsers.base import Attempts, Measurement, MetricInfo, Parser
from windtunnel.parsers.text import NUMBER, count, last_run, measurements

_METRICS = {
    "transactions": MetricInfo("count", "higher"),
    "failures": MetricInfo("count", "lower"),
    "skipped": MetricInfo("count", "lower"),
    "transactions_per_second": MetricInfo("1/s", "higher"),
    "latency_mean": MetricInfo("ms", "lower"),
    "latency_stdev": MetricInfo("ms", "lower"),
}
_START = re.compile(r"^transaction type: ", re.MULTILINE)
_TYPE = re.compile(r"transaction type: (.+)$", re.MULTILINE)
_SCRIPT = re.compile(r"^SQL script (\d+): (.+)$", re.MULTILINE)
_BUILTIN = re.compile(r"<builtin: (.+)>")
# Rows of the whole report, and of a script's section, where they stand behind a dash.
_ROWS = {
    "transactions": (
        re.compile(r"^number of transactions actually processed: (\d{1,15})(?:/\d+)?$", re.MULTILINE),
        re.compile(r"^ - (\d{1,15}) transactions \(", re.MULTILINE),
    ),
    "transactions_per_second": (
        re.compile(
            rf"^tps = ({NUMBER}) \((?:without initial|including reconnection|excluding connections)", re.MULTILINE
        ),
        re.compile(rf"^ - \d+ transactions \({NUMBER}% of total, tps = ({NUMBER})\)", re.MULTILINE),
    ),
    **{
        name: (re.compile(rf"^{words}", re.MULTILINE), re.compile(rf"^ - {words}", re.MULTILINE))
        for name, words in {
            "failures": r"number of failed transactions: (\d{1,15}) \(",
            "skipped": r"number of transactions skipped: (\d{1,15}) \(",
            "latency_mean": rf"latency average = ({NUMBER}) ms",
            "latency_stdev": rf"latency stddev = ({NUMBER}) ms",
        }.items()
    },
}


def _rows(section: str, form: int) -> dict[str, float]:
    """Return the values of the whole report (form 0) or of a script (1); none without a successful transaction."""
    found = {name: patterns[form].search(section) for name, patterns in _ROWS.items()}
    values = {name: float(match[1]) for name, match in found.items() if match}
    return values if values.get("transactions") and "transactions_per_second" in values else {}


def _name(printed: str) -> str:
    """Return a script's name without what stands around it."""
    printed = printed.strip()
    builtin = _BUILTIN.fullmatch(printed)
    return builtin[1] if builtin else printed.rpartition("/")[2] or printed


def _parse(text: str) -> Iterator[Measurement | Attempts]:
    report = last_run(_START, text.replace("\r", "\n"))
    if not (kind := _TYPE.match(report)):
        return
    scripts = list(_SCRIPT.finditer(report))
    head = report[: scripts[0].start()] if scripts else report
    if processed := _ROWS["transactions"][0].search(head):
        failures = count(_ROWS["failures"][0], head)
        yield Attempts(int(float(processed[1]) + failures), int(failures))
    yield from measurements(_METRICS, _rows(report, 0), {"script": _name(kind[1])})
    seen: set[str] = set()
    ends = [*(script.start() for script in scripts[1:]), len(report)]
    for script, end in zip(scripts, ends, strict=False):
        name = _name(script[2])
        label = f"{name} #{script[1]}" if name in seen else name
        seen.add(name)
        yield from measurements(_METRICS, _rows(report[script.end() : end], 1), {"script": label})


PGBENCH = Parser("pgbench", _METRICS, _parse)
