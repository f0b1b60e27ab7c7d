"""Samples: from what a job wrote to measured values with their unit, labels and iteration."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from windtunnel.parsers import PARSERS, Measurement
from windtunnel.plan import MetricSpec

_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")


@dataclass(frozen=True)
class Sample:
    """One measured value of one iteration; a warm-up's does not count."""

    metric: str
    value: float
    unit: str | None
    iteration: int
    time: float
    step: str
    labels: Mapping[str, str] = field(default_factory=dict)
    warmup: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the sample as a line of ``samples.jsonl``."""
        return {**vars(self), "labels": dict(self.labels)}

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> Sample:
        """Return the sample that a line of ``samples.jsonl`` holds."""
        return cls(**line)


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
            value = _finite(float(_plain_number(match[1] or "")))
        except ValueError:
            notes.append(f"metric {name}: {match[1]!r} is no number")
            continue
        yield Measurement(name, value, metric.unit)


def _plain_number(text: str) -> str:
    """Return a number without the commas between its thousands; any other comma or underscore is none."""
    if _THOUSANDS.fullmatch(text):
        return text.replace(",", "")
    return text if "_" not in text else ""


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
    time = None if line.get("time") is None else _finite(float(line["time"]))
    return Measurement(name, _finite(float(value)), unit or declared.get(name), labels, time)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        msg = f"{value!r} is not finite"
        raise ValueError(msg)
    return value
