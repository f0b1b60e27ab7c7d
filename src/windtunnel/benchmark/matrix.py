"""A matrix: keys of a benchmark with the values that each of them takes, every combination a run."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from windtunnel.secrets import Redaction, key_path

MOST_RUNS = 1000
SCHEMA = {
    "type": "object",
    "description": 'Keys such as "server.replicas", each with its values; every combination is a run of one sweep.',
    "additionalProperties": {
        "type": "array",
        "minItems": 1,
        "items": {"type": ["string", "number", "boolean", "array"]},
    },
}


def combinations(matrix: object, overrides: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return every combination of a matrix's values by key, the last key varying fastest.

    Raises:
        ValueError: The matrix is no table of lists, a key is none or overridden, or there are too many combinations.
    """
    if not isinstance(matrix, dict) or not matrix:
        msg = 'matrix: write it as a table of lists, such as "run.repeats" = [1, 2]'
        raise ValueError(msg)
    overridden = {key_path(override.partition("=")[0].strip()) for override in overrides}
    number = 1
    for key, values in matrix.items():
        _check(key, values)
        if key_path(key) in overridden:
            msg = f"matrix.{key}: --set gives it one value, and the matrix several; leave one of them out"
            raise ValueError(msg)
        number *= len(values)
    if number > MOST_RUNS:
        msg = f"matrix: {number} combinations; {MOST_RUNS} is the most"
        raise ValueError(msg)
    return [dict(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values())]


def describe_values(values: Mapping[str, Any]) -> str:
    """Return the values of a matrix's keys as a person reads them."""
    return ", ".join(f"{key} = {value}" for key, value in values.items())


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
