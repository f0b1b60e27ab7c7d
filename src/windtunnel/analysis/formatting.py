"""Numbers, times, sizes and statuses as a person reads them."""

from __future__ import annotations

from windtunnel.signals import signal_name

_STEP = 1024
_ASTRONOMIC = 1e15


def number(value: float | None) -> str:
    """Return a number with four digits, whole from 10,000 on, or a dash for none."""
    return "–" if value is None else _digits(value, 4)


def column_number(value: float | None) -> str:
    """Return a number with four digits as a column of a terminal has it: with its last zeros, or a power of ten."""
    if value is None:
        return "–"
    magnitude = abs(value)
    if magnitude != 0 and (magnitude >= 1e7 or magnitude < 1e-3):  # noqa: PLR2004 - where digits stop helping
        return f"{value:.3e}"
    digits = 0 if magnitude >= 1000 else 1 if magnitude >= 100 else 2 if magnitude >= 10 else 3  # noqa: PLR2004
    return f"{value:,.{digits}f}"


def spread(value: float) -> str:
    """Return half of an interval with three digits: more of them mean nothing."""
    return _digits(float(f"{value:.3g}"), 3)


def _digits(value: float, count: int) -> str:
    # Rounding comes first: 9,999.7 has five digits then.
    rounded = float(f"{value:.{count}g}")
    if abs(rounded) >= _ASTRONOMIC:
        return f"{rounded:.{count}g}"
    return f"{rounded:,.{count}g}" if abs(rounded) < 10**count else f"{value:,.0f}"


def seconds(value: float | None) -> str:
    """Return a time with its unit: milliseconds below one second."""
    if value is None:
        return "–"
    return f"{value * 1000:.0f} ms" if round(abs(value), 3) < 1 else f"{value:,.2f} s"


def size(value: float) -> str:
    """Return bytes in the binary unit that makes them a short number."""
    for unit in ("B", "KiB", "MiB"):
        if round(value, 0 if unit == "B" else 1) < _STEP:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= _STEP
    return f"{value:.1f} GiB"


def failed(requests: float | None, failures: float) -> str:
    """Return how many of how many requests failed; None: nothing says of how many, 0: none came to an end."""
    if requests is None:
        return f"{failures:,} requests failed, and no metric called requests in the same unit says of how many"
    return f"{failures:,} of {requests:,} requests failed" if requests else "no request came to an end"


def status(value: int | None) -> str:
    """Return a command's exit status in words: a number, a signal's name, or that it was not seen."""
    if value is None:
        return "did not end"
    return str(value) if value >= 0 else signal_name(-value)
