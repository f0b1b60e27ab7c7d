"""A step that was started, whatever runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from windtunnel.backends.base import Address, describe_status
from windtunnel.backends.probes import LogReader
from windtunnel.errors import WindtunnelError
from windtunnel.plan import Job, Service
from windtunnel.run.journal import Journal


@dataclass(frozen=True)
class End:
    """How a step ended, in words that follow its name, and a code where the usual one says too little."""

    words: str
    code: str | None = None


@dataclass(eq=False, kw_only=True)
class StartedStep(ABC):
    """A step that was started, and what is known of its end.

    Attributes:
        iteration: The iteration that it was started for, if for one.
    """

    step: Service | Job
    label: str
    address: Address
    log: Path
    metrics: Path
    env: Mapping[str, str]
    values: Mapping[str, str]
    iteration: int | None = None
    is_stopped: bool = False
    death: WindtunnelError | None = None
    reader: LogReader = field(default_factory=LogReader)

    @property
    def name(self) -> str:
        """The step's name."""
        return self.step.name

    @property
    def service(self) -> Service:
        """The step as a service (TypeError if it is a job)."""
        if not isinstance(self.step, Service):
            msg = f"{self.name} is no service"
            raise TypeError(msg)
        return self.step

    @property
    def probed(self) -> Address:
        """Where this process asks it."""
        return self.address

    @property
    @abstractmethod
    def status(self) -> int | None:
        """Its command's exit status, -N for signal N; None while it runs, or if it is not known."""

    @property
    @abstractmethod
    def has_ended(self) -> bool:
        """Whether what it is needed for has ended."""

    @property
    @abstractmethod
    def is_gone(self) -> bool:
        """Whether nothing of it runs any more."""

    @property
    def is_needed(self) -> bool:
        """Whether it is to live on: it has not ended, and nobody has told it to."""
        return not self.is_stopped and not self.has_ended

    def end(self) -> End:
        """Return how it ended."""
        return End(describe_status(self.status or 0))

    def tell_lack(self, words: str, journal: Journal) -> None:
        """Tell what is missing of what it wrote; where it measures, its numbers may be other than they were."""
        if isinstance(self.step, Job) and (self.iteration or 0) > self.step.warmup:
            journal.doubt(f"in iteration {self.iteration} {words}", self.name, self.iteration)
        else:
            journal.note(words, self.name, self.iteration)
