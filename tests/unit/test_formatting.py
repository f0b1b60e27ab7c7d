"""Numbers as a report has them."""

from __future__ import annotations

import pytest

from windtunnel.analysis import formatting


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (0.00012345, "0.0001234"),
        (12.3456, "12.35"),
        (-999.96, "-1,000"),
        (9999.4, "9,999"),
        (9999.7, "10,000"),
        (-9999.7, "-10,000"),
        (12_345.6, "12,346"),
        (1_048_575.4, "1,048,575"),
        (1.5e300, "1.5e+300"),
    ],
)
def test_a_number_has_four_digits(value: float | None, text: str) -> None:
    """It is whole from 10,000 on, also where rounding makes it that large."""
    assert formatting.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.12345, "0.123"), (999.4, "999"), (999.7, "1,000"), (1234.0, "1,230"), (12_345.0, "12,300")]
)
def test_a_spread_has_three_digits(value: float, text: str) -> None:
    """A thousand is no power of ten."""
    assert formatting.spread(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0004, "0 ms"), (0.9994, "999 ms"), (0.9996, "1.00 s"), (1.0, "1.00 s"), (1234.5, "1,234.50 s")],
)
def test_a_time_has_its_unit(value: float | None, text: str) -> None:
    """There are no thousand milliseconds."""
    assert formatting.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1023.6, "1.0 KiB"),
        (1024, "1.0 KiB"),
        (1_048_524, "1023.9 KiB"),
        (1_048_575, "1.0 MiB"),
        (2**30 - 1, "1.0 GiB"),
        (2**40, "1024.0 GiB"),
    ],
)
def test_a_size_has_the_unit_that_makes_it_short(value: float, text: str) -> None:
    """1,024 of one are one of the next, also by rounding."""
    assert formatting.size(value) == text


@pytest.mark.parametrize(
    ("requests", "failures", "text"),
    [
        (1749, 1123, "1,123 of 1,749 requests failed"),
        (0, 0, "no request came to an end"),
        (None, 3, "3 requests failed, and no metric called requests in the same unit says of how many"),
    ],
)
def test_failures_are_told_of_how_many(requests: int | None, failures: int, text: str) -> None:
    """A number of failures alone says little."""
    assert formatting.failed(requests, failures) == text
