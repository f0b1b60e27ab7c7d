"""Quantiles of Student's t distribution, without a library that takes longer to import than a short run lasts."""

from __future__ import annotations

_NORMAL = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""
# fmt: off
_SMALL = (
    12.7062047362, 4.3026527297, 3.1824463053, 2.7764451052, 2.5705818356, 2.4469118511,
    2.3646242516, 2.3060041352, 2.2621571628, 2.2281388520, 2.2009851601, 2.1788128297,
    2.1603686565, 2.1447866879, 2.1314495456, 2.1199052992, 2.1098155778, 2.1009220402,
    2.0930240544, 2.0859634473, 2.0796138447, 2.0738730679, 2.0686576104, 2.0638985616,
    2.0595385528, 2.0555294386, 2.0518305165, 2.0484071418, 2.0452296421, 2.0422724563,
)
# fmt: on
"""The 97.5 % quantiles for 1 to 30 degrees of freedom."""


def quantile_975(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t, to a relative error of 2e-8.

    Source: its table; above 30 degrees of freedom the expansion about the normal quantile of Abramowitz and
    Stegun (1964), "Handbook of mathematical functions", 26.7.5.

    Args:
        freedom: The degrees of freedom, 1 or more.
    """
    if freedom <= len(_SMALL):
        return _SMALL[freedom - 1]
    x = _NORMAL
    terms = (
        x,
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return float(sum(term / freedom**power for power, term in enumerate(terms)))
