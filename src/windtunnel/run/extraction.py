"""Extraction: from what a job wrote to measurements, as a stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windtunnel.errors import InvalidResult
from windtunnel.parsers import PARSERS, Attempts, Measurement
from windtunnel.patterns import TooSlow, find_all
from windtunnel.plan import MetricSpec
from windtunnel.run.numbers import finite, number_around, quoted, read_number
from windtunnel.run.output import read_chunks, split_lines
from windtunnel.run.tally import Tally

if TYPE_CHECKING:
    import regex

METRICS_FILE = "$WINDTUNNEL_METRICS"
"""What the file of a client's own measurements is called in notes."""
_LONGEST_NAME = 200
_LATEST = 2.0**33
"""The year 2242: what is later was told in another unit, such as milliseconds."""


@dataclass(frozen=True)
class Source:
    """What a job wrote in one iteration.

    Attributes:
        metrics: The metrics to look for; those of the metrics file count also when they are not listed.
        log: The file that has the job's output.
        metrics_file: JSON lines, ``{"metric": …, "value": …}`` with optional unit, labels, time.
        tally: Counts the values that could not be read, and the requests that parsers find.
        check: Asked before each chunk is read; what it raises ends the reading.
    """

    metrics: Sequence[MetricSpec]
    log: Path
    metrics_file: Path | None
    tally: Tally
    check: Callable[[], None] = lambda: None


def extract(source: Source) -> Iterator[Measurement]:
    """Yield every measurement that a job wrote, in the order of its metrics, then those of its metrics file.

    Raises:
        InvalidResult: Something cannot be read to its end; raised when all else is.
    """
    whole = {metric.parser for metric in source.metrics if metric.name is None}
    readers: list[Iterator[Measurement]] = []
    for metric in source.metrics:
        if metric.name and metric.parser in whole:
            continue  # it is among all that the parser gives
        if metric.pattern and metric.name:
            readers.append(_by_pattern(source, metric, metric.name, metric.pattern))
        elif metric.parser:
            readers.append(_by_parser(source, metric, metric.parser))
    if source.metrics_file:
        readers.append(_from_file(source, source.metrics_file))
    problem: InvalidResult | None = None
    for measurements in readers:
        try:
            yield from measurements
        except InvalidResult as error:
            problem = problem or error
    if problem:
        raise problem


def _read_chunks(source: Source, path: Path, name: str) -> Iterator[str]:
    """Yield the text of a file, if it is there; `name` is what it is called in errors."""
    try:
        for chunk, _offset in read_chunks(path):
            source.check()
            yield chunk
    except FileNotFoundError:
        return
    except OSError as error:
        raise InvalidResult(f"{name} cannot be read: {error.strerror}", code="unreadable_output") from None


def _by_pattern(source: Source, metric: MetricSpec, name: str, pattern: str) -> Iterator[Measurement]:
    try:
        for match in find_all(pattern, _read_chunks(source, source.log, "the output")):
            try:
                value = _matched(match)
            except ValueError as error:
                source.tally.miss(name, f"metric {name}: {error}")
                continue
            source.tally.read[name] += 1
            yield Measurement(name, value, metric.unit)
    except TooSlow as error:
        raise InvalidResult(
            f"metric {name}: its pattern takes too long ({error}); begin it with ^, and repeat nothing that repeats",
            code="pattern_too_slow",
        ) from None


def _matched(match: regex.Match[str]) -> float:
    """Return the number in the first group of a match (ValueError if that is none, or only a part of one)."""
    if match[1] is None:
        msg = f"{quoted(match[0])} matches without the first group"
        raise ValueError(msg)
    begin, end = match.span(1)
    # Where the pattern itself says what stands beside the group, that is meant.
    first = begin if match.start() < begin else 0
    last = end if end < match.end() else len(match.string)
    if (whole := number_around(match.string, (begin, end), (first, last))) != match[1]:
        msg = f"{quoted(match[1])} is only a part of {whole}; match all of it, or what stands beside it too"
        raise ValueError(msg)
    return read_number(match[1])


def _by_parser(source: Source, metric: MetricSpec, parser: str) -> Iterator[Measurement]:
    for item in PARSERS[parser].parse(split_lines(_read_chunks(source, source.log, "the output"))):
        if isinstance(item, Attempts):
            source.tally.attempts[parser] = item
        elif metric.name in {None, item.metric}:
            yield item


def _from_file(source: Source, path: Path) -> Iterator[Measurement]:
    declared = {metric.name: metric.unit for metric in source.metrics}
    for number, line in enumerate(split_lines(_read_chunks(source, path, METRICS_FILE)), start=1):
        if not line.strip():
            continue
        try:
            measurement = _measurement(json.loads(line), declared)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            source.tally.miss(METRICS_FILE, f"{METRICS_FILE}, line {number}: not a measurement ({error!r})")
            continue
        source.tally.read[METRICS_FILE] += 1
        if other := _other_source(source.metrics, measurement.metric):
            source.tally.clashes[measurement.metric] = other
        yield measurement


def _other_source(metrics: Sequence[MetricSpec], name: str) -> str | None:
    """Return the parser, or the word pattern, that the benchmark says a metric comes from."""
    for metric in metrics:
        if metric.name == name and (metric.parser or metric.pattern):
            return metric.parser or "its pattern"
        if metric.parser and not metric.name and name in PARSERS[metric.parser].metrics:
            return metric.parser
    return None


def _measurement(line: Mapping[str, Any], declared: Mapping[str | None, str | None]) -> Measurement:
    value = line["value"]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        msg = f"{quoted(value)} is not a number"
        raise TypeError(msg)
    name, unit = line["metric"], line.get("unit")
    for key, text in (("metric", name), ("unit", unit or "x")):
        if not isinstance(text, str) or not text or not text.isprintable() or len(text) > _LONGEST_NAME:
            msg = f"{key} {quoted(text)} is not a short text without control characters"
            raise TypeError(msg)
    labels = {str(key): str(item) for key, item in dict(line.get("labels") or {}).items()}
    time = None if line.get("time") is None else finite(float(line["time"]))
    if time is not None and not 0 <= time < _LATEST:
        msg = f"time {time:g} is not in seconds since 1970"
        raise ValueError(msg)
    return Measurement(name, finite(float(value)), unit or declared.get(name), labels, time)
