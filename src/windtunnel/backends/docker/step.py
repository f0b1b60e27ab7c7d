"""A running step of the docker backend: one container, or several replicas of one."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from windtunnel.backends.base import Address, describe_status
from windtunnel.backends.containers import exit_status
from windtunnel.backends.docker.streams import Output
from windtunnel.backends.started import End, StartedStep


@dataclass(eq=False)
class Container:
    """A container, and what the daemon told of it.

    Attributes:
        id: Its id.
        name: Its name.
        step: The name of the step that it is of.
        output: Its output.
        ip: Its address on the run's network, once it was started.
        pid: Its first process, as the daemon's machine counts; 0 if it has none.
        exit_code: Its exit status; None while it runs.
        is_out_of_memory: Whether the kernel killed something in it for its memory.
        is_removed: Whether somebody removed it.
        is_ended: Whether this run has begun to end it.
    """

    id: str
    name: str
    step: str
    output: Output
    ip: str = ""
    pid: int = 0
    exit_code: int | None = None
    is_out_of_memory: bool = False
    is_removed: bool = False
    is_ended: bool = False
    died_at: float = field(default=0.0)

    def die(self, exit_code: int) -> None:
        """Note that it has ended."""
        self.exit_code, self.died_at = exit_code, time.monotonic()

    @property
    def status(self) -> int | None:
        """Its exit status, -N for signal N, once its output has ended too; None while it runs."""
        if self.exit_code is None:
            return None
        if self.output.is_awaited(self.died_at):
            return None
        return exit_status(self.exit_code)


@dataclass(eq=False, kw_only=True)
class RunningStep(StartedStep):
    """A step's containers.

    Attributes:
        containers: One of each replica.
        memory: Their limit in bytes, if they have one.
        has_answered: Whether a probe has reached them all over the network.
    """

    containers: list[Container]
    memory: int | None = None
    has_answered: bool = False

    @property
    def probed(self) -> Address:
        """Where this process asks it: names are known only within the run's network."""
        return Address(self.containers[0].ip, self.address.port)

    @property
    def status(self) -> int | None:
        """Its exit status, -N for signal N: that of the first replica that ended; None while all run."""
        return self._ended.status if self._ended else None

    @property
    def has_ended(self) -> bool:
        """Whether one of its containers has ended."""
        return self._ended is not None

    @property
    def is_gone(self) -> bool:
        """Whether none of its containers runs any more, and their output is there."""
        return all(container.status is not None for container in self.containers)

    @property
    def is_out_of_memory(self) -> bool:
        """Whether it ended for lack of memory."""
        return bool(self._ended and self._ended.is_out_of_memory and self._ended.status)

    @property
    def has_lost_a_part(self) -> bool:
        """Whether something in it was killed for lack of memory, and it went on or ended as if nothing had been."""
        return any(container.is_out_of_memory and not container.exit_code for container in self.containers)

    @property
    def limit(self) -> str:
        """Its limit of memory, in words that follow *memory*; empty if it has none."""
        return f" of {self.memory / 2**20:g} MiB" if self.memory else ""

    @property
    def is_removed(self) -> bool:
        """Whether the container that ended was removed by somebody."""
        return bool(self._ended and self._ended.is_removed)

    def end(self) -> End:
        """Return how it ended."""
        which = f"'s replica {self._ended.name}" if self._ended and len(self.containers) > 1 else ""
        if self.is_out_of_memory:
            return End(f"{which} ran out of its memory{self.limit}".strip(), "oom")
        return End(f"{which} {describe_status(self.status or 0)}".strip())

    @property
    def _ended(self) -> Container | None:
        over = [container for container in self.containers if container.status is not None]
        return min(over, key=lambda container: container.died_at, default=None)
