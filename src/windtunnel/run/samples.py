"""Samples: measured values with their unit, labels and iteration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Sample:
    """One measured value of one iteration; a warm-up's does not count."""

    metric: str
    value: float
    unit: str | None
    iteration: int
    time: float
    step: str
    labels: Mapping[str, str] = field(default_factory=dict)
    warmup: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the sample as a line of ``samples.jsonl``."""
        return {**vars(self), "labels": dict(self.labels)}

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> Sample:
        """Return the sample that a line of ``samples.jsonl`` holds."""
        return cls(**line)
