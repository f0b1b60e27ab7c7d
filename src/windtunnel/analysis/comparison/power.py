"""What a comparison can see: chances, the rounds that an effect takes, the effect that rounds can show."""

from __future__ import annotations

import math
from collections.abc import Callable

from windtunnel.analysis.distributions import chi_square_quantile, noncentral_t_below, t_quantile

POWER = 0.8
"""The chance of seeing what is said to be seen."""
FEWEST_ROUNDS = 5
MOST_ROUNDS = 10_000
_SPREADS = 64
"""Into how many equally probable parts the distribution of an estimated spread is cut."""


def power(rounds: int, size: float, spread: float, level: float) -> float:
    """Return the chance that a true effect is found not to be chance, whatever the zone, and on the right side.

    Source: noncentral t, as in Cohen (1988), "Statistical power analysis for the behavioral sciences", 2.

    Args:
        rounds: How many there are.
        size: The true effect.
        spread: The standard deviation of a round's difference, above 0.
        level: The level of the test, which is one of both sides.
    """
    freedom = rounds - 1
    critical = t_quantile(1 - level / 2, freedom)
    return 1 - noncentral_t_below(critical, freedom, size * math.sqrt(rounds) / spread)


def rounds_needed(size: float, spread: float, level: float) -> int | None:
    """Return how many rounds find a true effect with a chance of 80 %; None if more than 10,000.

    For the size of the zone as many rounds say "same" of no difference at all nearly as often.
    """
    if power(MOST_ROUNDS, size, spread, level) < POWER:
        return None
    low, high = FEWEST_ROUNDS - 1, FEWEST_ROUNDS
    while power(high, size, spread, level) < POWER:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if power(middle, size, spread, level) < POWER else (low, middle)
    return high


def chance_of_worse(rounds: int, spread: float, level: float, zone: float) -> Callable[[float], float]:
    """Return the chance that one look calls a true effect worse, as a function of the effect.

    It has to be both, not chance and as large as the zone: the estimate has to exceed the zone and the critical
    value, which depends on the spread that is found. The mean is taken over that spread's distribution
    (chi square); without a zone it is the `power` of the noncentral t.
    """
    import numpy as np
    from scipy import special

    freedom, error = rounds - 1, spread / math.sqrt(rounds)
    critical = t_quantile(1 - level / 2, freedom) * error
    shares = (np.arange(_SPREADS) + 0.5) / _SPREADS
    limits = np.maximum(zone, critical * np.sqrt(special.chdtri(freedom, 1 - shares) / freedom))
    return lambda size: float(special.ndtr((size - limits) / error).mean())


def detectable_effect(rounds: int, spread: float, level: float, zone: float) -> float:
    """Return the smallest true effect that one look calls worse with a chance of 80 %; without spread, the zone."""
    if not spread:
        return zone
    chance = chance_of_worse(rounds, spread, level, zone)
    low, high = 0.0, zone + spread
    while chance(high) < POWER:
        low, high = high, 2 * high
    while high - low > 1e-4 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if chance(middle) < POWER else (low, middle)
    return high


def upper_spread(stdev: float, values: int) -> float:
    """Return what a standard deviation that was estimated from two or more values is below with 80 % confidence.

    What is promised from the estimate itself is kept too rarely: it is below the truth in half of the cases.

    Source: Hahn and Meeker (1991), "Statistical intervals", 4.4.
    """
    freedom = values - 1
    return stdev * math.sqrt(freedom / chi_square_quantile(1 - POWER, freedom))
