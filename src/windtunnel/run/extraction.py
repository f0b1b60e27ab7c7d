"""Extraction: from what a job wrote to measurements."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from windtunnel.parsers import PARSERS, Attempts, Measurement
from windtunnel.plan import MetricSpec
from windtunnel.run.numbers import finite, read_number
from windtunnel.run.tally import Tally

METRICS_FILE = "$WINDTUNNEL_METRICS"
"""What the file of a client's own measurements is called in notes."""


def extract(
    metrics: tuple[MetricSpec, ...], log: Path, metrics_file: Path | None, tally: Tally
) -> Iterator[Measurement]:
    """Yield every measurement in a job's output and in its ``$WINDTUNNEL_METRICS`` file.

    Args:
        metrics: What to look for; the file's metrics count also when they are not listed.
        log: The job's output.
        metrics_file: JSON lines, ``{"metric": …, "value": …}`` with optional unit, labels, time.
        tally: What could not be read is counted here, and the requests that a parser is told of.
    """
    text = ""
    if any(metric.pattern or metric.parser for metric in metrics) and log.exists():
        text = log.read_text(encoding="utf-8", errors="replace")
    whole = {metric.parser for metric in metrics if metric.name is None}
    for metric in metrics:
        if metric.name and metric.parser in whole:
            continue  # it is among all that the parser gives
        if metric.pattern and metric.name:
            yield from _by_pattern(metric.name, metric, text, tally)
        elif metric.parser:
            yield from _by_parser(metric.parser, metric, text, tally)
    if metrics_file and metrics_file.is_file():
        declared = {metric.name: metric.unit for metric in metrics}
        for found in _from_file(metrics_file, declared, tally):
            if other := _other_source(metrics, found.metric):
                tally.clashes[found.metric] = other
            yield found


def _by_pattern(name: str, metric: MetricSpec, text: str, tally: Tally) -> Iterator[Measurement]:
    for match in re.finditer(metric.pattern or "", text, re.MULTILINE):
        try:
            value = read_number(match[1] or "")
        except ValueError:
            tally.miss(name, f"metric {name}: {match[1]!r} is no number")
            continue
        tally.read[name] += 1
        yield Measurement(name, value, metric.unit)


def _by_parser(parser: str, metric: MetricSpec, text: str, tally: Tally) -> Iterator[Measurement]:
    for found in PARSERS[parser].parse(text):
        if isinstance(found, Attempts):
            tally.attempts[parser] = found
        elif metric.name in {None, found.metric}:
            yield found


def _other_source(metrics: tuple[MetricSpec, ...], name: str) -> str | None:
    """Return the parser, or the word pattern, that the benchmark says a metric comes from."""
    for metric in metrics:
        if metric.name == name and (metric.parser or metric.pattern):
            return metric.parser or "its pattern"
        if metric.parser and not metric.name and name in PARSERS[metric.parser].metrics:
            return metric.parser
    return None


def _from_file(path: Path, declared: Mapping[str | None, str | None], tally: Tally) -> Iterator[Measurement]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                found = _measurement(json.loads(line), declared)
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
                tally.miss(METRICS_FILE, f"{METRICS_FILE}, line {number}: not a measurement ({error!r})")
                continue
            tally.read[METRICS_FILE] += 1
            yield found


def _measurement(line: Mapping[str, Any], declared: Mapping[str | None, str | None]) -> Measurement:
    value = line["value"]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        msg = f"{value!r} is no number"
        raise TypeError(msg)
    name = str(line["metric"])
    unit = line.get("unit")
    if not isinstance(unit, (str, type(None))):
        msg = f"unit {unit!r} is no text"
        raise TypeError(msg)
    labels = {str(key): str(item) for key, item in dict(line.get("labels") or {}).items()}
    time = None if line.get("time") is None else finite(float(line["time"]))
    return Measurement(name, finite(float(value)), unit or declared.get(name), labels, time)
