"""Numbers as programs print them."""

from __future__ import annotations

import math
import re

_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")


def read_number(text: str) -> float:
    """Return the number that a text holds.

    Raises:
        ValueError: It holds none, or one that is not finite.
    """
    return finite(float(_plain_number(text)))


def finite(value: float) -> float:
    """Return `value` if it is finite (ValueError if it is not)."""
    if not math.isfinite(value):
        msg = f"{value!r} is not finite"
        raise ValueError(msg)
    return value


def _plain_number(text: str) -> str:
    """Return a number without the commas between its thousands; any other comma or underscore is none."""
    if _THOUSANDS.fullmatch(text):
        return text.replace(",", "")
    return text if "_" not in text else ""
