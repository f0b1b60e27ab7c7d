"""A sweep: runs of one benchmark, one for each combination of a matrix's values."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from windtunnel.analysis.recover import recover
from windtunnel.errors import UsageError
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord
from windtunnel.run.store import read_run
from windtunnel.secrets import key_path

_WORDS = frozenset({"PROCESSES", "PROCS", "RANKS", "THREADS", "WORKERS"})
"""The last words of variables that say how many work at once, such as ``OMP_NUM_THREADS``."""


@dataclass(frozen=True)
class Axis:
    """A key of the matrix.

    Attributes:
        key: The dotted key, as it is written.
        values: The distinct values of the runs, by size if all of them are numbers, else as they came.
        numbers: What each value is as a number; None if one of them is none.
        is_workers: Whether each value says how many work at once.
    """

    key: str
    values: tuple[Any, ...]
    numbers: tuple[float, ...] | None
    is_workers: bool

    def place(self, values: Mapping[str, Any]) -> int:
        """Return which of the axis' values a run has, counted from 0."""
        return self._places[_identity(values[self.key])]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {_identity(value): place for place, value in enumerate(self.values)}


def load_records(folders: Sequence[RunFolder]) -> list[RunRecord]:
    """Return the records of a sweep's runs, in the order of the matrix's values; a lost one says what it measured.

    Of a run that was made again since the sweep was ended, the last one counts.

    Raises:
        UsageError: A record cannot be read.
    """
    found = [recover(folder, read_run(folder)) for folder in folders]
    by_key = {(record.sweep and record.sweep.key) or record.run_id: record for record in found}
    records = list(by_key.values())
    return [record for _values, group in group_by(records, axes_of(records)) for record in group]


def axes_of(records: Sequence[RunRecord], workers: Collection[str] = ()) -> list[Axis]:
    """Return the axes of a sweep's runs, in the matrix's order.

    Args:
        records: The runs, at least one.
        workers: Keys that say how many work at once, beside those that `counts_workers` knows.

    Raises:
        UsageError: One of `workers` is no key of the matrix, or has a value that is no number above 0.
    """
    keys = list(values_of(records[0]))
    for key in workers:
        if key not in keys:
            raise UsageError(f"--workers: {key} is no key of the sweep's matrix ({', '.join(keys)})")
    axes = [_axis(key, [values_of(record)[key] for record in records], is_told=key in workers) for key in keys]
    for axis in axes:
        if axis.key in workers and not axis.is_workers:
            told = ", ".join(map(in_words, axis.values))
            raise UsageError(f"--workers: {axis.key} has the values {told}; all have to be different numbers above 0")
    return axes


def values_of(record: RunRecord) -> dict[str, Any]:
    """Return the value of each of the matrix's keys that a run was made with."""
    return record.sweep.values if record.sweep else {}


def in_words(value: Any) -> str:
    """Return a value of a key as it is written in a benchmark, without quotes."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def describe(values: Mapping[str, Any]) -> str:
    """Return keys with their values as a person reads them."""
    return ", ".join(f"{key} = {in_words(value)}" for key, value in values.items())


def counts_workers(key: str) -> bool:
    """Tell whether a key of a benchmark says how many work at once.

    These do: ``gang.size``, ``gang.slots``, ``client.ranks``, the ``replicas`` of a server, and variables of
    an ``env`` whose name ends with the word PROCESSES, PROCS, RANKS, THREADS or WORKERS.
    """
    match key_path(key):
        case ("gang", "size" | "slots") | ("client", "ranks") | ("server", "replicas") | ("servers", _, "replicas"):
            return True
        case (*_, "env", name):
            return str(name).upper().split("_")[-1] in _WORDS
    return False


def group_by(records: Sequence[RunRecord], axes: Sequence[Axis]) -> list[tuple[dict[str, Any], list[RunRecord]]]:
    """Return the runs that have the same values on these axes, with those values, in the order of the axes."""
    groups: dict[tuple[int, ...], list[RunRecord]] = {}
    for record in records:
        groups.setdefault(tuple(axis.place(values_of(record)) for axis in axes), []).append(record)
    return [
        ({axis.key: axis.values[place] for axis, place in zip(axes, places, strict=True)}, group)
        for places, group in sorted(groups.items())
    ]


def trouble(record: RunRecord) -> str | None:
    """Return why a run's numbers are not to be compared, in words; None if they are valid."""
    if record.validity == "valid":
        return None
    reasons = record.reasons or ([record.cause.message] if record.cause else [])
    return ": ".join([record.validity or record.status, *reasons[:1]])


def _axis(key: str, values: Sequence[Any], *, is_told: bool) -> Axis:
    distinct = list({_identity(value): value for value in values}.values())
    numbers = [_number(value) for value in distinct]
    # "1" and 1 are two values of the matrix, and would be one place of a plot.
    if None in numbers or len(set(numbers)) < len(numbers):
        return Axis(key, tuple(distinct), None, is_workers=False)
    ordered = sorted((number, place) for place, number in enumerate(numbers) if number is not None)
    is_workers = (is_told or counts_workers(key)) and ordered[0][0] > 0
    return Axis(key, tuple(distinct[place] for _n, place in ordered), tuple(n for n, _place in ordered), is_workers)


def _identity(value: Any) -> str:
    """Return what two values have in common only if they are the same: Python holds 1, 1.0 and true for equal."""
    return json.dumps(value)


def _number(value: Any) -> float | None:
    if isinstance(value, bool | list):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
