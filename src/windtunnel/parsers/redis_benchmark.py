"""redis-benchmark: its ``--csv``, ``-q`` and full output; the label ``test`` is the command tested."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator

from windtunnel.parsers.base import Measurement, MetricInfo, Parser
from windtunnel.parsers.text import NUMBER

_COLUMNS = {
    "rps": "requests_per_second",
    "avg_latency_ms": "latency_mean",
    "min_latency_ms": "latency_min",
    "p50_latency_ms": "latency_p50",
    "p95_latency_ms": "latency_p95",
    "p99_latency_ms": "latency_p99",
    "max_latency_ms": "latency_max",
}
_METRICS = {
    name: MetricInfo("1/s", "higher") if name == "requests_per_second" else MetricInfo("ms", "lower")
    for name in _COLUMNS.values()
}
_HEADER = ["test", *_COLUMNS]
_NUMBER = re.compile(NUMBER)
_CSV_ROW = re.compile(r'"[^"\n]+"(?:,"[^"\n]*")+$')
_QUIET = re.compile(
    r"(?P<test>\S.*?): (?P<rps>\d+(?:\.\d+)?) requests per second(?:, p50=(?P<p50>\d+(?:\.\d+)?) msec)?"
)
_SECTION = re.compile(r"====== (?P<test>.+?) ======$")
_RATE = re.compile(r"\s*throughput summary: (\d+(?:\.\d+)?) requests per second\s*$")
_LATENCIES = re.compile(r"[\d. \t]+$")
# The lines between a section's rate and its latencies; others may be blank.
_HEADS = (["latency", "summary", "(msec):"], ["avg", "min", "p50", "p95", "p99", "max"])
_BEGINS = ('"', "======")
_RATE_WORDS = " requests per second"
_MOST_WAITING = 10_000


def _measure(test: str, values: dict[str, str]) -> Iterator[Measurement]:
    """Yield a row's measurements; a row without a rate is not redis-benchmark's."""
    if not _NUMBER.fullmatch(values.get("rps", "")):
        return
    for column, value in values.items():
        name = _COLUMNS.get(column)
        if name and _NUMBER.fullmatch(value):
            yield Measurement(name, float(value), _METRICS[name].unit, {"test": test})


class _Csv:
    """The rows of ``--csv``, under the columns of the last header."""

    def __init__(self) -> None:
        self.header = _HEADER

    def read(self, line: str) -> Iterator[Measurement]:
        if not _CSV_ROW.match(line):
            return
        row = next(csv.reader([line]))
        if row[0] == "test":
            self.header = row
        else:
            yield from _measure(row[0], dict(zip(self.header[1:], row[1:], strict=False)))


class _Sections:
    """The closing summary of each section of the full output, which is several lines."""

    def __init__(self) -> None:
        self.test: str | None = None
        self.rate = ""
        self.heads = 0

    def read(self, line: str) -> Iterator[Measurement]:
        if match := _SECTION.match(line):
            self.test, self.rate = match["test"], ""
        elif not self.test or not (cells := line.split()):
            return
        elif match := _RATE.match(line):
            self.rate, self.heads = match[1], 0
        elif self.rate and self.heads < len(_HEADS):
            self.heads, self.rate = self.heads + 1, self.rate if cells == _HEADS[self.heads] else ""
        elif self.rate and _LATENCIES.match(line):
            test, self.test = self.test, None
            columns = ["rps", *list(_COLUMNS)[1:]]
            yield from _measure(test, dict(zip(columns, [self.rate, *cells], strict=False)))


class _Quiet:
    """The lines of ``-q``."""

    def read(self, line: str) -> Iterator[Measurement]:
        if match := _QUIET.match(line):
            values = {"rps": match["rps"], "p50_latency_ms": match["p50"] or ""}
            yield from _measure(match["test"], values)


def _parse(lines: Iterable[str]) -> Iterator[Measurement]:
    """Yield what the fullest form gives that the output has: CSV, else the full one, else the quiet one."""
    sections = _Sections()
    forms: list[_Csv | _Sections | _Quiet] = [_Csv(), sections, _Quiet()]
    waiting: list[Measurement] = []
    for line in lines:
        if not (line.startswith(_BEGINS) or _RATE_WORDS in line or sections.rate):
            continue
        for index, form in enumerate(forms):
            if measured := list(form.read(line)):
                if index + 1 < len(forms):
                    # What a form that says less gave before does not count, nor what it gives from now on.
                    waiting = []
                    del forms[index + 1 :]
                waiting += measured
                break
        if len(waiting) > _MOST_WAITING:
            del forms[:-1]  # so much of one form is this output's
        if len(forms) == 1:
            yield from waiting
            waiting = []
    yield from waiting


PARSER = Parser("redis-benchmark", _METRICS, _parse)
