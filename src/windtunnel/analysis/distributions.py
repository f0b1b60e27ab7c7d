"""Distributions of test statistics, from SciPy, which is imported when the first number is asked for.

What a run's own interval needs is in `student`: a run is summarised on machines that have no SciPy.
"""

from __future__ import annotations

import math


def t_quantile(share: float, freedom: float) -> float:
    """Return the value that Student's t stays below with this probability.

    Source: Student (1908), "The probable error of a mean".
    """
    from scipy import special

    return float(special.stdtrit(freedom, share))


def t_two_sided(statistic: float, freedom: float) -> float:
    """Return the probability that Student's t is as far from 0 as `statistic`, on either side."""
    from scipy import special

    return float(2 * special.stdtr(freedom, -abs(statistic)))


def noncentral_t_below(statistic: float, freedom: float, noncentrality: float) -> float:
    """Return the probability that Student's noncentral t is below `statistic`.

    Source: Johnson and Welch (1940), "Applications of the non-central t-distribution", Biometrika 31, 362-389.
    """
    from scipy import special

    below = float(special.nctdtr(freedom, noncentrality, statistic))
    # Far below its middle SciPy has no number for it at all.
    return 0.0 if math.isnan(below) else below


def normal_below(value: float) -> float:
    """Return the probability that a standard normal value is below `value`."""
    from scipy import special

    return float(special.ndtr(value))


def chi_square_quantile(share: float, freedom: float) -> float:
    """Return the value that chi square stays below with this probability."""
    from scipy import special

    return float(special.chdtri(freedom, 1 - share))
