"""Durations and quantities, as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.benchmark.values import format_duration, parse_duration, parse_quantity


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("250ms", 0.25), ("1m30s", 90), ("1.5h", 5400), ("2d", 172_800), ("1h1m1s1ms", 3661.001)],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    """Units may be put one after the other."""
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize("number", [2, 0.5])
def test_a_plain_number_is_seconds(number: float) -> None:
    """A duration without a unit and without quotes is in seconds."""
    assert parse_duration(number) == number


@pytest.mark.parametrize(
    "value",
    [
        *["", "10", "s", "-1s", "1 s", "1s ", "1S", "1e3s", "1w", "0s", "0ms", "9" * 400 + "s"],
        *[0, -1, 10**400, float("inf"), float("nan"), True, None, [], {}],
    ],
    ids=lambda value: str(value)[:8],
)
def test_what_is_no_duration_above_zero_is_refused(value: object) -> None:
    """Zero, endless, negative and misspelt durations are all a ValueError."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(value)


@pytest.mark.parametrize(("value", "is_allowed"), [("365d", True), ("8760h1ms", False), (31_536_000, True)])
def test_a_duration_is_a_year_at_most(value: object, *, is_allowed: bool) -> None:
    """More is a mistake, which no timer of a platform should have to meet."""
    if is_allowed:
        assert parse_duration(value) == 31_536_000
    else:
        with pytest.raises(ValueError, match="365 days at most"):
            parse_duration(value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(90, "1m30s"), (0.25, "250ms"), (3600, "1h"), (86_400, "24h"), (3661.001, "1h1m1s1ms"), (59.9996, "1m")],
)
def test_seconds_are_written_as_people_write_them(seconds: float, text: str) -> None:
    """The largest unit comes first, and units that are zero are left out."""
    assert format_duration(seconds) == text


@given(st.floats(min_value=0.001, max_value=31_536_000))
def test_a_written_duration_is_read_as_the_same(seconds: float) -> None:
    """What is formatted and parsed again differs by less than a millisecond."""
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=0.00051)


@pytest.mark.parametrize("text", ["0.1ms", "0.0002s", "0.4ms"])
def test_a_duration_below_a_millisecond_can_be_written_too(text: str) -> None:
    """What is accepted in a file is accepted again after it was formatted."""
    assert parse_duration(format_duration(parse_duration(text))) == pytest.approx(parse_duration(text), abs=0.001)


@pytest.mark.parametrize(
    ("text", "number"),
    [("500m", 0.5), ("2", 2), ("0.5", 0.5), ("256Mi", 2**28), ("4Gi", 2**32), ("1k", 1000), ("1.5G", 1.5e9), (3, 3)],
)
def test_a_quantity_is_read_as_kubernetes_reads_it(text: object, number: float) -> None:
    """Suffixes are powers of 1000, and of 1024 with an i; m is a thousandth."""
    assert parse_quantity(text) == pytest.approx(number, rel=1e-12)


@pytest.mark.parametrize("value", ["", "much", "256MB", "-1", "0", "0Mi", "1 Gi", "1KI", True, None, [1]])
def test_what_is_no_quantity_above_zero_is_refused(value: object) -> None:
    """The message says how a quantity is written."""
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(value)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[("500m", 0.5), ("2k", 2e3), ("3M", 3e6), ("1.5G", 1.5e9), ("1T", 1e12)],
        *[("1Ki", 1024), ("2Mi", 2 * 1024**2), ("3Gi", 3 * 1024**3), ("1Ti", 1024**4), ("7", 7)],
    ],
)
def test_each_unit_of_a_quantity_has_its_size(text: str, number: float) -> None:
    """As Kubernetes counts them: with i they are powers of 1,024."""
    assert parse_quantity(text) == pytest.approx(number, rel=1e-12)
