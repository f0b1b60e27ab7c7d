"""Rules for single values."""

from __future__ import annotations

import pytest

from windtunnel.benchmark.checks import check_cron

DAYS = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN", "wed", "Wed", "MON,WED", "MON-WED", "WED,FRI"]
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC", "jul", "JUN-JUL"]


@pytest.mark.parametrize("expression", [*[f"0 3 * * {day}" for day in DAYS], *[f"0 3 * {month} *" for month in MONTHS]])
def test_days_and_months_have_names(expression: str) -> None:
    """All of them, alone, in lists and in ranges."""
    assert check_cron(expression) == expression


@pytest.mark.parametrize("expression", ["0 3 * WED", "0 3 * * 5L", "0 3 LW * *", "0 3 * * WED#2", "0 3 * * XWEDX"])
def test_what_schedulers_read_differently_is_refused(expression: str) -> None:
    """A field is missing, or L, W and # are in it."""
    with pytest.raises(ValueError, match="is not a cron expression"):
        check_cron(expression)
