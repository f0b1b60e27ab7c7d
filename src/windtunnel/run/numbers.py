"""Numbers as programs print them: read where they can mean one thing only, never guessed."""

from __future__ import annotations

import math
import re

LARGEST = 1e300
"""Statistics of larger numbers would be beyond what a floating-point number can hold."""
_SHOWN = 80
_AROUND = 40
_MARKS = ".,'\N{RIGHT SINGLE QUOTATION MARK}"
# Two groups, or a point behind one: else the comma may be a decimal one. A thousand never begins with a zero.
_GROUPED = re.compile(
    rf"[-+]?[1-9]\d{{0,2}}(?:(?:,\d{{3}}){{2,}}(?:\.\d+)?|,\d{{3}}\.\d+|(?:[{_MARKS[2:]}]\d{{3}})+(?:\.\d+)?)"
)
_SEPARATED = re.compile(rf"\d[{_MARKS[1:]}\s]+\d|\d\.\d{{3}}\.\d")
_DIGITS = re.compile(rf"[-+]?[\d{_MARKS}\s]+(?:[eE][-+]?\d+)?")
_TOGETHER = str.maketrans("", "", _MARKS[1:])
_BEFORE = re.compile(rf"(?:[\d{_MARKS}]+[eE][-+]?)?[\d{_MARKS}]*$")
# A minus that follows a word, a number or a bracket stands between two things, as in 10-20.
_MINUS = re.compile(r"(?<![\w.)\]}%-])[-\N{MINUS SIGN}]$")
_AFTER = re.compile(rf"[\d{_MARKS}]*(?:[eE][-+]?\d+(?!\w))?")
_UNSIGNED = re.compile(rf"[\d{_MARKS}]+(?:[eE][-+]?\d+)?")
_ONE_NUMBER = re.compile(rf"[-+]?(?:\d{{1,3}}(?:[{_MARKS}]\d{{3}})+(?:[.,]\d+)?|\d+[.,]?\d*|[.,]\d+)(?:[eE][-+]?\d+)?")


def read_number(text: str) -> float:
    """Return the number that a text holds.

    Its decimal point is a point; commas are taken between thousands where they can be nothing else
    (``1,234,567`` and ``1,234.5``), and so are apostrophes.

    Raises:
        ValueError: The text holds no number, one that is too large or not finite, or one that could mean two things.
    """
    text = text.strip()
    plain = text.translate(_TOGETHER) if _GROUPED.fullmatch(text) else text
    try:
        # Python alone takes 1_000 for a number.
        if "_" not in plain:
            return finite(float(plain))
    except ValueError:
        pass
    msg = f"{quoted(text)} is not a number"
    if _DIGITS.fullmatch(text) and _SEPARATED.search(text):
        msg += (
            " that can mean one thing only (a comma may be a decimal one, or stand between thousands);"
            " let the program print digits and a decimal point, often by LC_ALL=C"
        )
    raise ValueError(msg)


def finite(value: float) -> float:
    """Return `value` if statistics can be made of it (ValueError if it is not finite, or beyond `LARGEST`)."""
    if not abs(value) <= LARGEST:
        msg = f"{value!r} is not finite" if not math.isfinite(value) else f"{value!r} is too large"
        raise ValueError(msg)
    return value


def number_around(text: str, part: tuple[int, int], within: tuple[int, int]) -> str:
    """Return the number in a text that a part of it belongs to, or the part if nothing beside it does.

    Args:
        text: The text.
        part: Where the part begins and ends.
        within: Between where to look.
    """
    begin, end = part
    before = _BEFORE.search(text[max(within[0], begin - _AROUND) : begin])
    after = _AFTER.match(text[end : min(within[1], end + _AROUND)])
    number = text[begin:end]
    whole = (before[0].lstrip(_MARKS) if before else "") + number + (after[0].rstrip(_MARKS) if after else "")
    if whole != number and _ONE_NUMBER.fullmatch(whole):
        return whole
    minus = _MINUS.search(text[max(within[0], begin - 2) : begin]) if _UNSIGNED.fullmatch(number) else None
    return minus[0] + number if minus else number


def quoted(text: object) -> str:
    """Return a value as a message has it: quoted, and cut if it is long."""
    return repr(f"{text[:_SHOWN]}…" if isinstance(text, str) and len(text) > _SHOWN else text)
