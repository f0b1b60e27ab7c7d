"""What is fixed before the first round: how many rounds, when they are looked at, which side begins each."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from windtunnel.analysis.comparison.effect import ALPHA
from windtunnel.analysis.comparison.power import FEWEST_ROUNDS
from windtunnel.errors import UsageError

Side = Literal["baseline", "candidate"]

_LOOKS = (5, 8, 12, 20)
_GROWTH = 1.5


@dataclass(frozen=True)
class Design:
    """The plan of a duel.

    Attributes:
        rounds: How many rounds there are at most.
        seed: What the order of sides comes from.
        is_fixed: Whether there is one look, after all rounds; else it may end earlier.

    Raises:
        UsageError: There are too few rounds for a verdict.
    """

    rounds: int
    seed: int
    is_fixed: bool = False

    def __post_init__(self) -> None:
        if self.rounds < FEWEST_ROUNDS:
            raise UsageError(f"a verdict takes {FEWEST_ROUNDS} rounds or more, not {self.rounds}")

    @cached_property
    def looks(self) -> tuple[int, ...]:
        """After how many rounds a verdict may be said."""
        return (self.rounds,) if self.is_fixed else planned_looks(self.rounds)

    @property
    def level(self) -> float:
        """The level of each look: all of them together are wrong as often as one at `ALPHA`.

        Source: Bonferroni's inequality. To look as often at full level is wrong two or three times as often.
        """
        return ALPHA / len(self.looks)

    @cached_property
    def firsts(self) -> tuple[Side, ...]:
        """The side that runs first, for each round."""
        return balanced_order(self.rounds, self.seed)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data, with what follows from it."""
        fields = {"rounds": self.rounds, "seed": self.seed, "fixed": self.is_fixed}
        return fields | {"looks": list(self.looks), "level": self.level, "firsts": list(self.firsts)}


def planned_looks(rounds: int) -> tuple[int, ...]:
    """Return the looks of a duel of so many rounds: 5, 8, 12, 20, each then half as many more; the last is its end."""
    looks = list(_LOOKS)
    while looks[-1] < rounds:
        looks.append(math.ceil(looks[-1] * _GROWTH))
    return (*(look for look in looks if look < rounds), rounds)


def balanced_order(rounds: int, seed: int) -> tuple[Side, ...]:
    """Return which side is first in each round: each as often as the other, or one round more, shuffled by the seed.

    A run that follows another may find caches full and a processor hot. If one side is always first the other has all
    of it; if a coin says so it is balanced only in the long run.

    Source: randomised complete blocks, Fisher (1935), "The design of experiments".
    """
    draw = random.Random(seed)  # noqa: S311 - no secret
    sides: tuple[Side, Side] = ("baseline", "candidate")
    firsts = [*sides * (rounds // 2), *draw.sample(sides, rounds % 2)]
    draw.shuffle(firsts)
    return tuple(firsts)
