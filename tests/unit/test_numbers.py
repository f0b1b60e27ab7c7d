"""Numbers as programs print them, in any country's way."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import assume, example, given
from hypothesis import strategies as st

from windtunnel.run.numbers import read_number


def _grouped(whole: int, mark: str) -> str:
    return f"{whole:,}".replace(",", mark)


def _indian(whole: int) -> str:
    """Return a number with groups of two above the thousands."""
    text, last = str(whole)[:-3], str(whole)[-3:]
    groups = [text[max(0, end - 2) : end] for end in range(len(text), 0, -2)]
    return ",".join([*reversed(groups), last])


def _read(text: str) -> Decimal | None:
    try:
        return Decimal(repr(read_number(text)))
    except ValueError:
        return None


@given(
    whole=st.integers(0, 10**12),
    fraction=st.text("0123456789", max_size=4),
    marks=st.sampled_from([(",", "."), (".", ","), (" ", ","), ("'", "."), ("’", "."), ("\u202f", ","), ("", ".")]),
    sign=st.sampled_from(["", "-", "+"]),
)
@example(whole=0, fraction="123", marks=(".", ","), sign="")
@example(whole=1234, fraction="5", marks=(",", "."), sign="")
@example(whole=1234567, fraction="", marks=(",", "."), sign="")
def test_a_number_is_read_as_it_is_meant_or_not_at_all(
    whole: int, fraction: str, marks: tuple[str, str], sign: str
) -> None:
    """Whatever stands between its thousands and before its fraction."""
    thousands, point = marks
    # "1.234" is a decimal to all the programs that print no thousands: who prints 1234 so is not to be told from them.
    assume(not (thousands == "." and not fraction and 1000 <= whole < 10**6))
    text = sign + _grouped(whole, thousands) + (point + fraction if fraction else "")
    meant = Decimal(f"{sign}{whole}.{fraction or '0'}")
    assert _read(text) in {None, Decimal(repr(float(meant)))}


@given(whole=st.integers(1000, 10**12))
def test_indian_groups_are_read_as_they_are_meant_or_not_at_all(whole: int) -> None:
    """Groups of two above the thousands."""
    assert _read(_indian(whole)) in {None, Decimal(repr(float(whole)))}


@given(value=st.floats(-1e300, 1e300, allow_nan=False))
def test_what_python_prints_is_read(value: float) -> None:
    """With an exponent or without."""
    assert read_number(repr(value)) == value


@given(text=st.text(max_size=40))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    """Nothing else comes of it."""
    _read(text)
