"""Fewer points and stretches that still show what all of them would: a plot has some hundred pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Span = tuple[float, float]


@dataclass(frozen=True)
class Envelope:
    """Neighbours put together: from the first's `begin` to the last's `end`, their mean, lowest and highest value."""

    begin: Values
    end: Values
    mean: Values
    low: Values
    high: Values


def envelope(begin: Values, end: Values, values: Values, most: int) -> Envelope:
    """Return at most `most` groups of neighbours of equal count; up to that many values stay as they are.

    The mean is weighted by the length of each stretch, and plain where all have none.
    """
    count = len(values)
    if count <= most:
        return Envelope(begin, end, values, values, values)
    edges = np.linspace(0, count, most + 1).astype(int)
    first, last = edges[:-1], edges[1:] - 1
    lengths = end - begin
    weights = lengths if lengths.any() else np.ones(count)
    totals = np.maximum(np.add.reduceat(weights, first), np.finfo(float).tiny)
    mean = np.add.reduceat(values * weights, first) / totals
    low, high = np.minimum.reduceat(values, first), np.maximum.reduceat(values, first)
    return Envelope(begin[first], end[last], np.clip(mean, low, high), low, high)


def merged(spans: Iterable[Span], gap: float) -> list[Span]:
    """Return spans by their begin; those with no more than `gap` between them are one."""
    result: list[Span] = []
    for begin, end in sorted(spans):
        if result and begin - result[-1][1] <= gap:
            result[-1] = result[-1][0], max(end, result[-1][1])
        else:
            result.append((begin, end))
    return result


def coverage(spans: Iterable[Span], edges: Values) -> Values:
    """Return the share of each stretch between neighbouring `edges` that spans cover, 0 to 1."""
    apart = merged(spans, 0.0)
    covered = np.cumsum([0.0] + [end - begin for begin, end in apart])
    ends = np.array([moment for span in apart for moment in span])
    at_ends = np.repeat(covered, 2)[1:-1]
    shares: Values = np.clip(np.diff(np.interp(edges, ends, at_ends)) / np.diff(edges), 0.0, 1.0)
    return shares


def ranks(count: int, most: int) -> NDArray[np.intp]:
    """Return which of `count` sorted values to draw: evenly spread, denser towards the last ones, ends included.

    The tail is where percentiles of latency lie: 99.9 % has as many points as 90 %.
    """
    if count <= most:
        return np.arange(count)
    even = np.linspace(0, count - 1, most // 2)
    tail = count - np.geomspace(1, count, most - most // 2)
    return np.unique(np.rint(np.concatenate([even, tail])).astype(np.intp))


def longest(groups: Sequence[str], weights: Sequence[float], most: int) -> set[str]:
    """Return the `most` groups with the largest weight."""
    order = sorted(zip(weights, groups, strict=True), key=lambda pair: -pair[0])
    return {group for _weight, group in order[:most]}
