"""All that a run tells: written to its folder at once, kept for the summary, and dispatched to observers."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from windtunnel.errors import PlatformError
from windtunnel.run.control import Control
from windtunnel.run.dispatch import Dispatcher
from windtunnel.run.events import Event, EventType, Observer, timestamp
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import Phase
from windtunnel.run.samples import Sample, Samples
from windtunnel.run.tally import Tally

CATCH_UP_SECONDS = 3.0
"""How long observers may take over what they were not told yet, at the end of a run."""
CLOCK_SECONDS = 0.5
"""How far the clock may move against the time that passes, in an iteration; one that NTP keeps moves less."""


@dataclass(frozen=True)
class UsageSample:
    """What one step used over one interval.

    Attributes:
        time: End of the interval, seconds since the epoch.
        seconds: Length of the interval.
        cpu: Cores used.
        cpu_wait: Cores' worth of time in which the step's threads could have run and had no CPU; None
            where the kernel does not tell.
        memory: Resident bytes at the end of the interval.
        processes: Number of the step's processes at the end of the interval.
    """

    step: str
    time: float
    seconds: float
    cpu: float
    cpu_wait: float | None
    memory: int
    processes: int

    def to_json(self) -> dict[str, Any]:
        """Return the line of ``usage.jsonl``."""
        return vars(self)

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> UsageSample:
        """Return what a line of ``usage.jsonl`` holds; what a newer version says beside it is passed over.

        Raises:
            ValueError: The line holds no usage sample.
        """
        try:
            return cls(**{item.name: line[item.name] for item in fields(cls)})
        except KeyError as error:
            raise ValueError(repr(error)) from None


class Journal:
    """The record of a run while it goes on. Any thread may write.

    Nothing here raises what comes of a full disk: the run's control fails, which ends the run.

    Args:
        folder: The run's folder.
        observers: Told of each event, after it was written down, in a thread each; one that raises is told no more.
        control: The run's control.

    Attributes:
        phases: The finished phases, in the order in which they began to be measured.
        samples: All samples so far.
        usage: All usage samples so far.
        doubts: Why what was measured is not to be trusted, a sentence each.
        tallies: The tallies of all iterations so far.
    """

    def __init__(self, folder: RunFolder, observers: Sequence[Observer] = (), control: Control | None = None) -> None:
        self.folder = folder
        self.control = control or Control(float("inf"))
        self.phases: list[Phase] = []
        self.samples = Samples()
        self.usage: list[UsageSample] = []
        self.doubts: list[str] = []
        self.tallies: list[Tally] = []
        self._dispatchers = [Dispatcher(observer, self.control, self.note) for observer in observers]
        self._numbers: dict[str, dict[str, int]] = {}
        self._lock = threading.Lock()

    def emit(
        self, kind: EventType, step: str | None = None, iteration: int | None = None, message: str = "", **data: Any
    ) -> None:
        """Write an event down; the observers are told of it later, in the same order."""
        hidden = self.folder.redaction
        event = Event(kind, step, iteration, hidden.text(message), hidden.data(data))
        with self._lock:
            self._append("events", event.to_json())
            for dispatcher in self._dispatchers:
                dispatcher.tell(event)

    def catch_up(self) -> None:
        """Wait until the observers were told all so far; for `CATCH_UP_SECONDS` at most, as one may be stuck."""
        deadline = time.monotonic() + CATCH_UP_SECONDS
        for dispatcher in self._dispatchers:
            dispatcher.catch_up(deadline)

    def close(self) -> None:
        """End the observers' threads when they were told all, which is waited for as `catch_up` does."""
        self.catch_up()
        for dispatcher in self._dispatchers:
            dispatcher.close()

    def _append(self, name: str, *lines: dict[str, Any]) -> None:
        """Write lines; one that cannot be written ends the run, and keeps nothing else from going on."""
        try:
            self.folder.append(name, *lines)
        except OSError as error:
            self._fail(error.strerror)

    def check_room(self) -> None:
        """End the run if the disk is full: what steps printed may be missing."""
        if self.folder.is_full:
            self._fail(os.strerror(errno.ENOSPC))

    def _fail(self, reason: str | None) -> None:
        self.control.fail(PlatformError(f"results cannot be written: {reason}", code="store_failed"))

    def note(self, message: str, step: str | None = None, iteration: int | None = None) -> None:
        """Write down something that a person should know and that stops nothing."""
        self.emit(EventType.NOTE, step, iteration, message)

    def doubt(self, message: str, step: str | None = None, iteration: int | None = None) -> None:
        """Write down why what is measured is not to be trusted; the verdict has it as a reason."""
        with self._lock:
            self.doubts.append(self.folder.redaction.text(message))
        self.note(message, step, iteration)

    def add_samples(self, samples: Sequence[Sample]) -> None:
        """Write samples down."""
        with self._lock:
            kept = [self._without_secrets(sample) for sample in samples]
            for sample in kept:
                self.samples.append(sample)
            if kept:
                self._append("samples", *(sample.to_json() for sample in kept))

    def _without_secrets(self, sample: Sample) -> Sample:
        texts = (sample.metric, sample.unit or "", *sample.labels.keys(), *sample.labels.values())
        if all(self._hidden(word) == word for word in texts):
            return sample
        labels = {self._hidden(key): self._hidden(value) for key, value in sample.labels.items()}
        unit = sample.unit and self._hidden(sample.unit)
        return replace(sample, metric=self._hidden(sample.metric), unit=unit, labels=labels)

    def _hidden(self, word: str) -> str:
        """Return a word of a sample without secrets; words that then look alike are numbered, and stay apart."""
        text = self.folder.redaction.known(word)
        if text == word:
            return word
        number = self._numbers.setdefault(text, {}).setdefault(word, len(self._numbers[text]) + 1)
        return text if number == 1 else f"{text} ({number})"

    def finish(self, tally: Tally, *, status: int | None, samples: int) -> None:
        """Write down the end of an iteration: its command's exit status, its number of samples, and its tally."""
        with self._lock:
            self.tallies.append(tally)
        data = {"status": status, "samples": samples, "warmup": tally.warmup, **tally.to_json()}
        self.emit(EventType.ITERATION_FINISHED, tally.step, tally.iteration, **data)

    def add_usage(self, usage: UsageSample) -> None:
        """Write down what a step used."""
        with self._lock:
            self.usage.append(usage)
            self._append("usage", usage.to_json())

    @contextmanager
    def phase(
        self,
        step: str,
        phase: Literal["start", "ready", "run", "stop"],
        iteration: int | None = None,
        *,
        warmup: bool = False,
    ) -> Iterator[None]:
        """Measure how long the body takes, also when it fails; doubt a kept iteration in which the clock was set."""
        started, clock = time.time(), time.monotonic()
        try:
            yield
        finally:
            seconds = round(time.monotonic() - clock, 6)
            moment = timestamp(started)
            step_of_clock = time.time() - started - seconds
            if phase == "run" and abs(step_of_clock) > CLOCK_SECONDS:
                moved = f"this machine's clock moved {step_of_clock:+.1f} s against the time that passed"
                tell = self.note if warmup else self.doubt  # what a warm-up measured does not count
                tell(f"in iteration {iteration} {moved}: it was set, or the machine slept", step, iteration)
            self.phases.append(
                Phase(step=step, phase=phase, iteration=iteration, warmup=warmup, started=moment, seconds=seconds)
            )
