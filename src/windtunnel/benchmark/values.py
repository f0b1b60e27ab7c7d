"""Scalar values of a benchmark file: durations and quantities of memory and CPU."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_MILLISECOND = 0.001
MOST_SECONDS = 365 * 86400.0
"""The longest duration: more is a mistake, and platforms' timers end somewhere."""
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_SHARE = re.compile(r"(\d+(?:\.\d+)?) ?%")
_QUANTITY_UNITS = {
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
}


def parse_duration(value: object) -> float:
    """Return a duration such as ``"1m30s"``, ``"250ms"`` or ``2`` (seconds) in seconds.

    Raises:
        ValueError: The text is no duration, or it is not above zero, or longer than a year.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        msg = 'a duration is text such as "30s", "250ms" or "1m30s"'
        raise ValueError(msg)  # noqa: TRY004 - pydantic takes no other
    if isinstance(value, str):
        if not _DURATION.fullmatch(value):
            msg = f'{value!r} is not a duration; write it like "30s", "250ms" or "1m30s"'
            raise ValueError(msg)
        parts = _DURATION_PART.findall(value)
        seconds = sum(float(number) * _DURATION_UNITS[unit] for number, unit in parts)
    else:
        try:
            seconds = float(value)
        except OverflowError:
            seconds = float("inf")
    if not seconds > 0:
        msg = f"{value!r}: a duration is above zero"
        raise ValueError(msg)
    if seconds > MOST_SECONDS:
        msg = f"{value!r}: a duration is 365 days at most"
        raise ValueError(msg)
    return seconds


def format_duration(seconds: float) -> str:
    """Return seconds as people write them: ``90`` becomes ``"1m30s"``.

    The result read by `parse_duration` is the same number, to a millisecond.
    """
    if seconds < _MILLISECOND:
        return f"{seconds * 1000:.6f}".rstrip("0") + "ms"
    milliseconds = round(seconds * 1000)
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def parse_quantity(value: object) -> float:
    """Return a Kubernetes quantity (``"500m"`` cores, ``"256Mi"`` bytes) as a number.

    Source of the notation: Kubernetes API conventions, "Quantity".

    Raises:
        ValueError: The text is no quantity, or it is not above zero.
    """
    match = None if isinstance(value, bool) else _QUANTITY.fullmatch(str(value))
    if match is None or float(match[1]) <= 0:
        msg = f'{value!r} is not a quantity; write it like "500m", "2", "256Mi" or "4Gi"'
        raise ValueError(msg)
    return float(match[1]) * _QUANTITY_UNITS.get(match[2] or "", 1.0)


def _check_quantity(value: object) -> str:
    parse_quantity(value)
    return str(value)


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": f"^{_DURATION.pattern}$", "examples": ["30s"]},
                {"type": "number", "exclusiveMinimum": 0},
            ]
        }
    ),
]
"""Seconds, written as ``"30s"``, ``"250ms"``, ``"1m30s"``."""

Quantity = Annotated[
    str,
    BeforeValidator(_check_quantity),
    WithJsonSchema({"type": "string", "pattern": f"^{_QUANTITY.pattern}$", "examples": ["256Mi"]}),
]
"""A Kubernetes quantity, kept as it was written."""


def parse_threshold(value: object) -> tuple[float | None, float | None]:
    """Return a threshold such as ``"5%"`` as a share, or one such as ``3.5`` as a number in a metric's unit.

    Returns:
        The share, and the number; one of them is None.

    Raises:
        ValueError: It is neither, or not above zero.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf"):
        return None, float(value)
    match = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if match is None or not float(match[1]):
        msg = f'{value!r} is not a threshold; write it like "5%", or as a number in the metric\'s unit'
        raise ValueError(msg)
    return float(match[1]) / 100, None


def _check_threshold(value: object) -> object:
    parse_threshold(value)
    return value


Threshold = Annotated[
    str | float | int,
    BeforeValidator(_check_threshold),
    WithJsonSchema({"type": ["string", "number"], "examples": ["5%", 3.5]}),
]
"""A difference that matters, kept as it was written."""
