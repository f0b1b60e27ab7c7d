"""Samples: measured values with their unit, labels and iteration."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload


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
        """Return the sample that a line of ``samples.jsonl`` holds; what a newer version says beside it is passed over.

        Raises:
            ValueError: The line holds no sample.
        """
        try:
            return cls(
                line["metric"],
                float(line["value"]),
                line["unit"],
                int(line["iteration"]),
                float(line["time"]),
                line["step"],
                dict(line.get("labels", {})),
                line.get("warmup", False),
            )
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(repr(error)) from None


@dataclass(frozen=True)
class Kind:
    """What samples have in common that differ in value, iteration and time."""

    metric: str
    unit: str | None
    step: str
    labels: Mapping[str, str]
    warmup: bool

    @property
    def label_set(self) -> tuple[tuple[str, str], ...]:
        """The labels in the order of their names."""
        return tuple(sorted(self.labels.items()))


class Samples(Sequence[Sample]):
    """Many samples in few bytes (24 each): a `Sample` is made when it is asked for.

    Attributes:
        kinds: The distinct kinds, in the order in which they came.
        kind_of: The index in `kinds` of each sample's kind.
        values: Each sample's value.
        iterations: Each sample's iteration.
        times: Each sample's time.
    """

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self.kinds: list[Kind] = []
        self.kind_of = array("L")
        self.values = array("d")
        self.iterations = array("L")
        self.times = array("d")
        self._index_of: dict[object, int] = {}
        for sample in samples:
            self.append(sample)

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Samples:
        """Return samples as such."""
        return samples if isinstance(samples, Samples) else cls(samples)

    def append(self, sample: Sample) -> None:
        """Add a sample."""
        labels = tuple(sorted(sample.labels.items()))
        key = (sample.metric, sample.unit, sample.step, labels, sample.warmup)
        index = self._index_of.setdefault(key, len(self.kinds))
        if index == len(self.kinds):
            self.kinds.append(Kind(sample.metric, sample.unit, sample.step, dict(sample.labels), sample.warmup))
        self.append_of(index, sample.value, sample.iteration, sample.time)

    def append_of(self, index: int, value: float, iteration: int, time: float) -> None:
        """Add a sample of the kind with that index in `kinds`."""
        self.kind_of.append(index)
        self.values.append(value)
        self.iterations.append(iteration)
        self.times.append(time)

    def split(self, group_of: Callable[[Kind], str | None]) -> dict[str, Samples]:
        """Return samples by their kind's group, in the order of their first ones; kinds without one are left out."""
        names = [group_of(kind) for kind in self.kinds]
        if len(set(names)) == 1 and names[0] is not None:
            return {names[0]: self}
        groups: dict[str, Samples] = {}
        targets: list[tuple[Samples, int] | None] = []
        for name, kind in zip(names, self.kinds, strict=True):
            group = None if name is None else groups.setdefault(name, Samples())
            if group is not None:
                group.kinds.append(kind)
            targets.append(None if group is None else (group, len(group.kinds) - 1))
        for index, value, iteration, time in zip(self.kind_of, self.values, self.iterations, self.times, strict=True):
            if target := targets[index]:
                target[0].append_of(target[1], value, iteration, time)
        return groups

    def select(self, is_wanted: Callable[[Kind], bool]) -> Samples:
        """Return the samples of some kinds."""
        return self.split(lambda kind: "" if is_wanted(kind) else None).get("", Samples())

    def _get(self, index: int) -> Sample:
        kind = self.kinds[self.kind_of[index]]
        value, iteration, time = self.values[index], self.iterations[index], self.times[index]
        return Sample(kind.metric, value, kind.unit, iteration, time, kind.step, kind.labels, kind.warmup)

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Sample]:
        return map(self._get, range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...

    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        chosen = range(len(self))[index]
        return self._get(chosen) if isinstance(chosen, int) else [self._get(each) for each in chosen]
