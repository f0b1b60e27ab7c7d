"""One run from its folder to its last record, the same for every engine that walks a plan."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from windtunnel.analysis.failures import find_failures
from windtunnel.analysis.flaws import find_flaws
from windtunnel.analysis.statistics import summarise
from windtunnel.analysis.verdict import has_measured, judge, missing_samples, summarise_usage
from windtunnel.backends.base import RunContext, Turn
from windtunnel.backends.session import Session
from windtunnel.engines.request import Request
from windtunnel.engines.run_upload import Storing
from windtunnel.engines.walk import HURRY_SECONDS, Call, Walk
from windtunnel.errors import Cancelled, ExitCode, PlatformError, WindtunnelError, as_error
from windtunnel.extras import load
from windtunnel.plan import Target
from windtunnel.run.driver import driver_identity
from windtunnel.run.environment import describe_host
from windtunnel.run.events import Event, EventType, timestamp
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import Journal
from windtunnel.run.record import Cause, ResourceCount, RunRecord, Status

T = TypeVar("T")
JOIN_SECONDS = 3.0
"""How long the run's threads may take to end when all else is over."""
_STATUS: dict[int, Status] = {
    ExitCode.OK: "succeeded",
    ExitCode.LEFT_BEHIND: "succeeded",
    ExitCode.TIMED_OUT: "timed_out",
    ExitCode.CANCELLED: "cancelled",
}


def execute(request: Request, engine: str, call: Call) -> RunRecord:
    """Run a plan and return its record, which the run's folder then has too.

    Results are written before teardown, and teardown is verified. Nothing that goes wrong
    while the run goes on is raised: the record says it.

    Raises:
        UsageError: The folder cannot be written; nothing was started.
        PlatformError: The store cannot be written (``store_failed``); nothing was started.
        TimedOut, Cancelled: As the control says, while the store was asked.
    """
    folder = RunFolder.create(request.store, request.plan, request.loaded.text, request.run_id)
    try:
        execution = _Execution(request, engine, folder)
        try:
            return execution.run(call)
        finally:
            execution.close()
    finally:
        folder.close()


class _Execution:
    def __init__(self, request: Request, engine: str, folder: RunFolder) -> None:
        self._request, self._plan, self._folder = request, request.plan, folder
        storing = [self._store_measured] if request.is_volatile else []
        self._journal = Journal(folder, [*request.observers, *storing], request.control)
        self._cause: WindtunnelError | None = None
        self._interruption: BaseException | None = None
        self._turn: Turn | None = None
        self._not_stopped: list[str] = []
        self._environment: dict[str, Any] = {}
        info = request.loaded.benchmark.benchmark
        self._record = RunRecord(
            run_id=folder.run_id,
            benchmark=info.name,
            strategy=info.strategy,
            engine=engine,
            backend=request.backend.name,
            started=timestamp(time.time()),
            status="running",
            labels=folder.redaction.document({"labels": dict(info.labels)})["labels"],
            overrides=[folder.redaction.override(item) for item in request.loaded.overrides],
            sweep=request.sweep,
            duel=request.duel,
            driver=driver_identity(),
            path=str(folder.path),
        )
        self._storing = Storing(request, folder, self._record, self._journal, self._write)

    def run(self, call: Call) -> RunRecord:
        self._attempt(self._write)
        request = self._request
        base = request.loaded.path.parent
        context = RunContext(self._plan, self._folder, self._journal, request.control, base, request.carried)
        if target := self._plan.target:
            self._attempt(self._begin)  # it may wait for long, and is to be seen
        if not target or self._attempt(lambda: self._take_turn(context, target)):
            self._storing.open()
        self._attempt(self._describe)
        if not target:
            self._attempt(self._begin)
        self._attempt(request.control.check_failure)
        # Each stage is tried whatever became of those before it; the first cause wins.
        session = None if self._cause else self._attempt(lambda: self._open(context))
        if session:
            self._attempt(lambda: self._describe(session))
            walk = Walk(context, session, call)
            self._attempt(walk.run)
            # Only now is it known which nodes and images there were.
            self._attempt(lambda: self._describe(session))
            self._attempt(self._summarise)
            self._attempt(self._storing.send_early)
            self._attempt(self._hold)
            self._attempt(lambda: self._tear_down(walk))
            self._attempt(session.close)
            self._attempt(lambda: self._count(session))
        self._attempt(request.control.check_failure)
        self._attempt(self._folder.mask)
        self._conclude()
        self._attempt(self._store)
        self._attempt(self._report)
        self._attempt(self._close_store)
        if self._interruption:
            raise self._interruption
        return self._record

    def close(self) -> None:
        """Give the target back, tell the observers what they were not told yet, and wait for the ends of threads."""
        if self._turn:
            self._turn.close()
        self._journal.close()
        control = self._request.control
        for name in control.threads.join(HURRY_SECONDS if control.is_urgent else JOIN_SECONDS):
            self._journal.note(f"the thread {name!r} of this run has not ended")

    def _take_turn(self, context: RunContext, target: Target) -> bool:
        """Return True once the run has its target to itself; nothing of it is made before."""
        if where := self._request.backend.traits.targets:
            with self._request.control.paused():
                self._turn = load(where)(context, target)
        return True

    def _open(self, context: RunContext) -> Session:
        if self._turn:
            self._turn.confirm()
        return self._request.backend.open(context)

    def _hold(self) -> None:
        if self._request.hold:
            self._journal.catch_up()
            self._request.hold()

    def _store_measured(self, event: Event) -> None:
        self._storing.send_measured(event)

    def _store(self) -> None:
        """Send what there is now that all is over; a run that is not stored whole has failed."""
        error = self._storing.send_all()
        if error is None:
            return
        if self._record.exit_code in {ExitCode.OK, ExitCode.LEFT_BEHIND}:
            self._blame(error)
        else:
            self._journal.note(error.message)
        self._conclude(again=True)

    def _report(self) -> None:
        """Add a report; somebody in a hurry does without."""
        if self._request.report and not self._request.control.is_urgent:
            self._request.report(self._record)
            self._storing.send_report()

    def _close_store(self) -> None:
        """Close the way to the store; what it leaves is told here alone, since nothing can be stored any more."""
        if left := self._storing.close():
            self._record.resources.left += left
            self._conclude(again=True)

    def _describe(self, session: Session | None = None) -> None:
        """Write down where it is measured: this machine, and what the platform says of itself."""
        if session is None:
            self._environment = describe_host()
        elif found := session.environment():
            self._environment |= found
        else:
            return
        with _writing():
            self._folder.write_json("environment.json", self._folder.redaction.data(self._environment))

    def _begin(self) -> None:
        self._journal.emit(EventType.RUN_STARTED, message=self._folder.run_id, path=str(self._folder.path))
        for note in self._request.notes:
            self._journal.note(note)

    def _attempt(self, stage: Callable[[], T]) -> T | None:
        try:
            return stage()
        except Exception as error:  # noqa: BLE001 - a bug in one stage must not keep the next from being tried
            self._blame(as_error(error))
        except BaseException as error:  # noqa: BLE001 - an engine's own interruption: handed on at the end
            self._blame(Cancelled(f"interrupted by {type(error).__name__}"))
            self._interruption = self._interruption or error
        return None

    def _summarise(self) -> None:
        """Judge what was measured and write it down, before anything is taken down."""
        record, journal = self._record, self._journal
        self._attempt(self._request.control.check_failure)
        record.metrics = summarise(journal.samples, self._plan)
        failures = find_failures(journal.samples, journal.tallies, self._plan)
        record.failures = [each.count() for each in failures]
        flaws = find_flaws(journal.samples, journal.tallies, record.metrics, failures, journal.doubts)
        was_unread = any(tally.unread for tally in journal.tallies)
        missing = missing_samples(self._plan, record.metrics, was_unread=was_unread)
        if not self._cause and (error := next(iter(flaws.errors), missing)):
            self._blame(error)
        record.usage = summarise_usage(journal.usage, journal.phases)
        record.phases = journal.phases
        if has_measured(journal.phases):
            record.validity, record.reasons = judge(self._cause, self._plan, record.metrics, record.usage, flaws)
        self._attempt(self._write)
        journal.emit(EventType.MEASURED, message=record.validity or "")

    def _tear_down(self, walk: Walk) -> None:
        for problem in walk.tear_down():
            self._journal.note(f"teardown: {problem.message}", problem.step)
            self._not_stopped.append(str(problem.step))

    def _count(self, session: Session) -> None:
        created, left = session.created(), self._folder.redaction.data(session.survivors())
        self._record.resources = ResourceCount(created=created, gone=max(0, created - len(left)), left=left)
        if self._not_stopped and not left:  # nobody saw them end, so no event says that they were stopped
            self._journal.note(f"{', '.join(self._not_stopped)}: not stopped in order, but nothing of the run is left")

    def _conclude(self, *, again: bool = False) -> None:
        record = self._record
        record.phases = self._journal.phases
        code = self._cause.exit_code if self._cause else ExitCode.OK
        if code == ExitCode.OK and record.validity == "suspect" and self._request.strict:
            code = ExitCode.INVALID
        if code == ExitCode.OK and record.resources.left:
            code = ExitCode.LEFT_BEHIND
        record.exit_code = int(code)
        record.status = _STATUS.get(code, "failed")
        record.finished = timestamp(time.time())
        try:
            self._write()
        except PlatformError as error:
            # The record on disk cannot tell it; the copy that is given back does.
            record.reasons.append(error.message)
            if code in {ExitCode.OK, ExitCode.LEFT_BEHIND}:
                self._blame(error)
                record.exit_code, record.status = int(error.exit_code), "failed"
        else:
            if not again:
                self._journal.emit(EventType.RUN_FINISHED, message=record.status, exit_code=int(code))

    def _write(self) -> None:
        self._record.reasons = self._folder.redaction.data(self._record.reasons)
        with _writing():
            self._folder.write_record(self._record)

    def _blame(self, error: WindtunnelError) -> None:
        self._folder.redaction.error(error)
        failure = self._request.control.failure
        if failure and not self._cause and failure is not error:
            # What a thread died of was first: it may be why this went wrong.
            self._blame(failure)
        if error is self._cause:
            return
        if self._cause:
            self._journal.note(f"also: {error.message}", error.step)
            return
        self._cause = error
        self._record.cause = Cause(
            code=error.code, step=error.step, message=error.message, log_tail=list(error.log_tail)
        )
        self._journal.emit(EventType.CAUSE, error.step, message=error.message, code=error.code)


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Turn what keeps a file of the run from being written into the cause that tells it (PlatformError)."""
    try:
        yield
    except OSError as error:
        raise PlatformError(f"results cannot be written: {error.strerror}", code="store_failed") from None
