"""A matrix: keys of a benchmark with the values that each of them takes, every combination a run."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from windtunnel.secrets import MATRIX_OWN, Redaction, key_path

MOST_RUNS = 1000
_VALUE = {"type": ["string", "number", "boolean", "array"]}
_CELLS = {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": _VALUE}}
SCHEMA = {
    "type": "object",
    "description": 'Keys such as "server.replicas", each with its values; every combination is a run of one sweep.',
    "properties": {
        "include": _CELLS | {"description": "Combinations beside those of the keys' values."},
        "exclude": _CELLS | {"description": "Combinations, or parts of some, that are left out."},
        "zip": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "array", "minItems": 2, "items": {"type": "string"}},
            "description": "Groups of keys that take their first values together, then their second ones, and so on.",
        },
    },
    "additionalProperties": {"type": "array", "minItems": 1, "items": _VALUE},
}
Cell = Mapping[str, Any]


def combinations(matrix: object, overrides: Sequence[str]) -> list[Cell]:
    """Return every combination of a matrix's values by key, the last key varying fastest, and those it includes.

    Raises:
        ValueError: The matrix is no table of lists, a key is none or overridden, or there are too many combinations,
            or none.
    """
    if not isinstance(matrix, dict) or not set(matrix) - set(MATRIX_OWN):
        msg = 'matrix: write it as a table of lists, such as "run.repeats" = [1, 2]'
        raise ValueError(msg)
    keys = {key: values for key, values in matrix.items() if key not in MATRIX_OWN}
    overridden = {key_path(override.partition("=")[0].strip()) for override in overrides}
    for key, values in keys.items():
        _check(key, values)
        if key_path(key) in overridden:
            msg = f"matrix.{key}: --set gives it one value, and the matrix several; leave one of them out"
            raise ValueError(msg)
    axes = _axes(keys, matrix.get("zip", []))
    include = _cells(matrix.get("include", []), "include", keys)
    number = math.prod(map(len, axes)) + len(include)
    if number > MOST_RUNS:
        msg = f"matrix: {number} combinations; {MOST_RUNS} is the most"
        raise ValueError(msg)
    return _chosen(axes, include, _cells(matrix.get("exclude", []), "exclude", keys), list(keys))


def describe_values(values: Cell) -> str:
    """Return the values of a matrix's keys as a person reads them."""
    return ", ".join(f"{key} = {value}" for key, value in values.items())


def _axes(keys: Mapping[str, list[Any]], groups: object) -> list[list[Cell]]:
    """Return what varies by itself: a key, or several that are zipped, with the values that they take together."""
    zipped = _zipped(keys, groups)
    axes: list[list[Cell]] = []
    for key in keys:
        group = next((group for group in zipped if key in group), (key,))
        if key == group[0]:
            together = zip(*(keys[each] for each in group), strict=True)
            axes.append([dict(zip(group, each, strict=True)) for each in together])
    return axes


def _zipped(keys: Mapping[str, list[Any]], groups: object) -> list[tuple[str, ...]]:
    """Return the groups of keys that vary together, each in the matrix's order (ValueError if one cannot be)."""
    if not isinstance(groups, list) or not all(isinstance(group, list) and len(group) > 1 for group in groups):
        msg = 'matrix.zip: give groups of keys, such as [["client.ranks", "gang.size"]]'
        raise ValueError(msg)
    found = []
    for group in groups:
        for key in group:
            if not isinstance(key, str) or key not in keys:
                msg = f"matrix.zip: {key!r} is no key of this matrix"
                raise ValueError(msg)
        if len({len(keys[key]) for key in group}) > 1:
            told = ", ".join(f"{key} has {len(keys[key])}" for key in group)
            msg = f"matrix.zip: keys that vary together have as many values each; {told}"
            raise ValueError(msg)
        found.append(tuple(key for key in keys if key in group))
    every = [key for group in found for key in group]
    if twice := next((key for key in every if every.count(key) > 1), None):
        msg = f"matrix.zip: {twice} is in two groups"
        raise ValueError(msg)
    return found


def _cells(cells: object, name: str, keys: Mapping[str, Any]) -> list[Cell]:
    """Return the combinations that are included or excluded, as they are given (ValueError if they cannot be)."""
    if not isinstance(cells, list) or not all(isinstance(cell, dict) and cell for cell in cells):
        msg = f'matrix.{name}: give a list of tables, such as [{{ "client.ranks" = 4 }}]'
        raise ValueError(msg)
    for cell in cells:
        if unknown := next((key for key in cell if key not in keys), None):
            msg = f"matrix.{name}: {unknown} is no key of this matrix; quote the whole key"
            raise ValueError(msg)
        if name == "include" and (missing := next((key for key in keys if key not in cell), None)):
            msg = f"matrix.include: a combination has all keys; {missing} is missing in {describe_values(cell)}"
            raise ValueError(msg)
    return cells


def _chosen(
    axes: Sequence[Sequence[Cell]], include: Sequence[Cell], exclude: Sequence[Cell], order: Sequence[str]
) -> list[Cell]:
    """Return all combinations of axes but the excluded ones, and the included ones; each has the keys in one order."""
    every = [{key: value for part in parts for key, value in part.items()} for parts in itertools.product(*axes)]
    kept = [cell for cell in every if not any(_matches(cell, part) for part in exclude)]
    if unused := next((part for part in exclude if not any(_matches(cell, part) for cell in every)), None):
        msg = f"matrix.exclude: there is no combination with {describe_values(unused)}"
        raise ValueError(msg)
    found: list[Cell] = [{key: cell[key] for key in order} for cell in (*kept, *include)]
    if twice := next(_twice(found), None):
        msg = f"matrix.include: {describe_values(twice)} is there already"
        raise ValueError(msg)
    if not found:
        msg = "matrix: all combinations are excluded"
        raise ValueError(msg)
    return found


def _matches(cell: Cell, part: Cell) -> bool:
    return all(repr(cell[key]) == repr(value) for key, value in part.items())


def _twice(cells: Sequence[Cell]) -> Iterator[Cell]:
    seen = set()
    for cell in cells:
        if (text := repr(cell)) in seen:
            yield cell
        seen.add(text)


def _check(key: str, values: object) -> None:
    if isinstance(values, dict):
        msg = f'matrix.{key}: quote the whole key, such as "{key}.{next(iter(values), "key")}" = [1, 2]'
        raise ValueError(msg)  # noqa: TRY004 - all that is wrong with a benchmark is a ValueError
    if not key_path(key) or key_path(key)[0] == "matrix":
        msg = f"matrix.{key}: not a key of a benchmark"
        raise ValueError(msg)
    if not isinstance(values, list) or not values:
        msg = f"matrix.{key}: give a list of values, not {Redaction().document(values, key_path(key))!r}"
        raise ValueError(msg)
    if any(isinstance(value, dict) or not isinstance(value, (str, int, float, bool, list)) for value in values):
        msg = f"matrix.{key}: values are text, numbers, true, false or lists"
        raise ValueError(msg)
    if len({repr(value) for value in values}) < len(values):
        msg = f"matrix.{key}: a value is given twice"
        raise ValueError(msg)
