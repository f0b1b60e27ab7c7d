"""Tallies: what the output of one iteration told beside its measurements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from windtunnel.parsers import Attempts

NOTES_KEPT = 5
_LONGEST_NOTE = 300


@dataclass
class Tally:
    """What the output of one iteration of a job told beside its measurements.

    Attributes:
        step: The job.
        iteration: Counted from 1, warm-up included.
        warmup: Whether the iteration is warm-up, which does not count.
        attempts: The requests that each parser was told of, by the parser's name.
        read: How many values were read, by their source: a metric's name, or ``$WINDTUNNEL_METRICS``.
        unread: How many values could not be read, by the same sources.
        clashes: Metrics that ``$WINDTUNNEL_METRICS`` gives although a pattern or a parser has to, with that source.
        notes: A sentence on each value that could not be read, the first few.
    """

    step: str
    iteration: int
    warmup: bool = False
    attempts: dict[str, Attempts] = field(default_factory=dict)
    read: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)
    clashes: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def miss(self, source: str, sentence: str) -> None:
        """Count a value that could not be read, and keep the sentence that says why."""
        self.unread[source] += 1
        if len(self.notes) < NOTES_KEPT:
            self.notes.append(sentence if len(sentence) <= _LONGEST_NOTE else f"{sentence[:_LONGEST_NOTE]}…")

    def to_json(self) -> dict[str, Any]:
        """Return what an ``iteration_finished`` event says of the tally: only what there is to say."""
        said: dict[str, Any] = {
            "attempts": {source: [item.total, item.failed] for source, item in self.attempts.items()},
            "unread": {source: [count, count + self.read[source]] for source, count in self.unread.items()},
            "clashes": self.clashes,
        }
        return {key: value for key, value in said.items() if value}

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Tally:
        """Return the tally that an ``iteration_finished`` event holds, without its notes.

        Raises:
            ValueError: The event holds none.
        """
        try:
            data = event.get("data", {})
            unread = {source: count for source, (count, _all) in data.get("unread", {}).items()}
            return cls(
                event["step"],
                event["iteration"],
                data.get("warmup", False),
                attempts={source: Attempts(*pair) for source, pair in data.get("attempts", {}).items()},
                read=Counter({source: all_ - count for source, (count, all_) in data.get("unread", {}).items()}),
                unread=Counter(unread),
                clashes=data.get("clashes", {}),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(repr(error)) from None
