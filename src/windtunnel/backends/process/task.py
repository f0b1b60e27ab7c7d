"""A unit as a process tree of this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from windtunnel.backends.artifacts import remove_tree
from windtunnel.backends.base import Address, RunContext, describe_status
from windtunnel.backends.notifier import seconds_until
from windtunnel.backends.platform import Collected, State
from windtunnel.backends.probes import Answer, reach
from windtunnel.backends.process.executables import Programs
from windtunnel.backends.process.usage import TreeUsage
from windtunnel.backends.process.warden_client import Child
from windtunnel.backends.unit import Unit
from windtunnel.backends.usage import Reading
from windtunnel.plan import Job
from windtunnel.run.folder import tail

TRACER_SECONDS = 2.0
"""How long a tracer, which sees a command's end first, is no process that was left behind."""


@dataclass(eq=False)
class ProcessTask:
    """A process tree.

    Attributes:
        unit: What it was started as.
        log: Its output.
        child: The process at its top.
        env: Its whole environment.
        context: The run.
        programs: Starts commands beside it.
        end: Ends a tree within a grace; its third argument says whose it is.
    """

    unit: Unit
    log: Path
    child: Child
    env: Mapping[str, str]
    context: RunContext
    programs: Programs
    end: Callable[[Child, float, str], None]
    _usage: TreeUsage = field(init=False)

    def __post_init__(self) -> None:
        self._usage = TreeUsage(self.child)

    @property
    def name(self) -> str:
        """The label of its unit."""
        return self.unit.label

    @property
    def address(self) -> Address:
        """Where it is asked."""
        return self.unit.site.address

    @property
    def state(self) -> State:
        """How far the tree is; a command that ended well and left processes went to the background."""
        child = self.child
        if child.is_over:
            return State("gone", child.status, child.ended_at)
        if child.status is None or self._may_be_tracer():
            return State()
        is_daemon = child.status == 0 and child.left
        return State("running" if is_daemon else "ended", child.status, child.ended_at)

    def _may_be_tracer(self) -> bool:
        """Tell whether what is left may be the tracer alone; a service that failed has ended whatever is left."""
        may_go_on = self.child.status == 0 or isinstance(self.unit.step, Job)
        return may_go_on and bool(seconds_until(self._tracer_deadline))

    @property
    def _tracer_deadline(self) -> float:
        return self.child.ended_at + TRACER_SECONDS if self.unit.program.trace else 0.0

    def await_tracer(self) -> None:
        """Give the tracer of a command that has ended the time to end by itself: its record is whole then."""
        if self.child.status is not None:
            self.context.notifier.wait_patiently(lambda: self.child.gone, seconds_until(self._tracer_deadline))

    def reach(self, kind: str, port: int, target: str, seconds: float) -> Answer:
        """Ask it over the network, from here."""
        return reach(kind, self.address.host, port, target, seconds)

    def run(self, argv: Sequence[str], seconds: float) -> Answer:
        """Run a command in its folder and its environment; what the command leaves is ended."""
        work = Path(self.unit.site.work)
        output = work.with_name(f"{self.unit.label}.{threading.get_ident()}.command.log")
        output.unlink(missing_ok=True)
        child = self.programs.spawn(argv, self.unit.step.name, work, self.env, output)
        self.context.notifier.wait_patiently(lambda: child.status is not None, seconds)
        is_late = child.status is None
        if is_late or child.left:
            self.end(child, 0, f"a command beside {self.unit.label}")
        if is_late:
            return Answer(ok=False, detail=f"no answer within {seconds:.3g} s", is_late=True)
        last = tail(output, 1)
        detail = describe_status(child.status or 0) + (f": {last[0]}" if last else "")
        return Answer(ok=child.status == 0, detail=detail)

    def collect(self, into: Path) -> Collected:
        """Do nothing: what it wrote is there already."""
        del into
        return Collected()

    def usage(self) -> Reading | None:
        """Return what the tree has used since its start."""
        return self._usage.read()

    def remove(self) -> None:
        """Remove its working folder."""
        if problem := remove_tree(Path(self.unit.site.work)):
            message = f"what it left on disk cannot be removed: {problem}"
            self.context.journal.note(message, self.unit.step.name)
