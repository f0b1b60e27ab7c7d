"""Extraction: from what a job wrote to measurements."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from windtunnel.parsers import PARSERS, Measurement
from windtunnel.plan import MetricSpec
from windtunnel.run.numbers import finite, read_number


def extract(
    metrics: tuple[MetricSpec, ...], log: Path, metrics_file: Path | None, notes: list[str]
) -> Iterator[Measurement]:
    """Yield every measurement in a job's output and in its ``$WINDTUNNEL_METRICS`` file.

    Args:
        metrics: What to look for; the file's metrics count also when they are not listed.
        log: The job's output.
        metrics_file: JSON lines, ``{"metric": …, "value": …}`` with optional unit, labels, time.
        notes: What could not be read is told here, a sentence each.
    """
    text = ""
    if any(metric.pattern or metric.parser for metric in metrics) and log.exists():
        text = log.read_text(encoding="utf-8", errors="replace")
    whole = {metric.parser for metric in metrics if metric.name is None}
    for metric in metrics:
        if metric.name and metric.parser in whole:
            continue  # it is among all that the parser gives
        if metric.pattern and metric.name:
            yield from _by_pattern(metric.name, metric, text, notes)
        elif metric.parser:
            yield from _by_parser(metric, text)
    if metrics_file and metrics_file.is_file():
        declared = {metric.name: metric.unit for metric in metrics}
        yield from _from_file(metrics_file, declared, notes)


def _by_pattern(name: str, metric: MetricSpec, text: str, notes: list[str]) -> Iterator[Measurement]:
    for match in re.finditer(metric.pattern or "", text, re.MULTILINE):
        try:
            value = read_number(match[1] or "")
        except ValueError:
            notes.append(f"metric {name}: {match[1]!r} is no number")
            continue
        yield Measurement(name, value, metric.unit)


def _by_parser(metric: MetricSpec, text: str) -> Iterator[Measurement]:
    for found in PARSERS[metric.parser or ""].parse(text):
        if metric.name in {None, found.metric}:
            yield found


def _from_file(path: Path, declared: Mapping[str | None, str | None], notes: list[str]) -> Iterator[Measurement]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield _measurement(json.loads(line), declared)
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
                notes.append(f"$WINDTUNNEL_METRICS, line {number}: not a measurement ({error!r})")


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
