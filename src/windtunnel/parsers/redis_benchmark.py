"""redis-benchmark: its ``--csv``, ``-q`` and full output; the label ``test`` is the command tested."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

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
_CSV_ROW = re.compile(r'^"[^"\n]+"(?:,"[^"\n]*")+$', re.MULTILINE)
_QUIET = re.compile(
    r"(?:^|\r)(?P<test>[^\s\r\n][^\r\n]*?): (?P<rps>\d+(?:\.\d+)?) requests per second"
    r"(?:, p50=(?P<p50>\d+(?:\.\d+)?) msec)?",
    re.MULTILINE,
)
_SECTION = re.compile(r"(?:^|\r)====== (?P<test>.+?) ======$", re.MULTILINE)
_SUMMARY = re.compile(
    r"throughput summary: (?P<rps>\d+(?:\.\d+)?) requests per second\s+"
    r"latency summary \(msec\):\s+avg\s+min\s+p50\s+p95\s+p99\s+max\s+(?P<latencies>[\d. \t]+)"
)


def _measure(test: str, values: dict[str, str]) -> Iterator[Measurement]:
    """Yield a row's measurements; a row without a rate is not redis-benchmark's."""
    if not _NUMBER.fullmatch(values.get("rps", "")):
        return
    for column, value in values.items():
        name = _COLUMNS.get(column)
        if name and _NUMBER.fullmatch(value):
            yield Measurement(name, float(value), _METRICS[name].unit, {"test": test})


def _parse_csv(text: str) -> Iterator[Measurement]:
    header = _HEADER
    for row in csv.reader(_CSV_ROW.findall(text)):
        if row[0] == "test":
            header = row
        else:
            yield from _measure(row[0], dict(zip(header[1:], row[1:], strict=False)))


def _parse_sections(text: str) -> Iterator[Measurement]:
    sections = list(_SECTION.finditer(text))
    for section, following in zip(sections, [*sections[1:], None], strict=False):
        end = following.start() if following else len(text)
        if summary := _SUMMARY.search(text, section.end(), end):
            columns = ["rps", *list(_COLUMNS)[1:]]
            values = [summary["rps"], *summary["latencies"].split()]
            yield from _measure(section["test"], dict(zip(columns, values, strict=False)))


def _parse(text: str) -> Iterator[Measurement]:
    measurements = list(_parse_csv(text)) or list(_parse_sections(text))
    if measurements:
        yield from measurements
        return
    for match in _QUIET.finditer(text):
        values = {"rps": match["rps"], "p50_latency_ms": match["p50"] or ""}
        yield from _measure(match["test"], values)


REDIS_BENCHMARK = Parser("redis-benchmark", _METRICS, _parse)
