"""One run from its folder to its last record, the same for every engine that walks a plan."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from windtunnel.analysis.statistics import summarise
from windtunnel.analysis.verdict import judge, missing_samples, summarise_usage
from windtunnel.backends.base import Backend, RunContext, Session
from windtunnel.benchmark import Loaded
from windtunnel.engines.walk import Call, Walk
from windtunnel.errors import Cancelled, ExitCode, WindtunnelError
from windtunnel.plan import Plan
from windtunnel.run.control import Control
from windtunnel.run.environment import describe_host
from windtunnel.run.events import EventType, Observer, timestamp
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import Journal
from windtunnel.run.record import Cause, ResourceCount, RunRecord, Status
from windtunnel.run.store import driver_identity

_STATUS: dict[int, Status] = {
    ExitCode.OK: "succeeded",
    ExitCode.LEFT_BEHIND: "succeeded",
    ExitCode.TIMED_OUT: "timed_out",
    ExitCode.CANCELLED: "cancelled",
}


@dataclass(frozen=True)
class Request:
    """What to run, where, and how it is told.

    Attributes:
        loaded: The benchmark and where it came from.
        plan: Its plan, checked against the backend.
        backend: Where its steps run.
        store: Folder that keeps runs.
        control: Deadline and cancellation.
        observers: Told of each event.
        strict: Whether a suspect result is a failure.
        hold: Called before teardown when the run's resources should be kept a while.
        notes: Told at the beginning.
    """

    loaded: Loaded
    plan: Plan
    backend: Backend
    store: Path
    control: Control
    observers: Sequence[Observer] = ()
    strict: bool = False
    hold: Callable[[], None] | None = None
    notes: Sequence[str] = field(default=())


def execute(request: Request, engine: str, call: Call[object]) -> RunRecord:
    """Run a plan and return its record, which the run's folder then has too.

    Results are written before teardown, and teardown is verified. Nothing that goes wrong
    while the run goes on is raised: the record says it.

    Raises:
        UsageError: The store cannot be written; nothing was started.
    """
    folder = RunFolder.create(request.store, request.plan, request.loaded.text)
    try:
        return _Execution(request, engine, folder).run(call)
    finally:
        folder.close()


class _Execution:
    def __init__(self, request: Request, engine: str, folder: RunFolder) -> None:
        self._request, self._plan, self._folder = request, request.plan, folder
        self._journal = Journal(folder, request.observers)
        self._cause: WindtunnelError | None = None
        info = request.loaded.benchmark.benchmark
        self._record = RunRecord(
            run_id=folder.run_id,
            benchmark=info.name,
            strategy=info.strategy,
            engine=engine,
            backend=request.backend.name,
            started=timestamp(time.time()),
            status="running",
            labels=dict(info.labels),
            overrides=list(request.loaded.overrides),
            driver=driver_identity(),
            path=str(folder.path),
        )

    def run(self, call: Call[object]) -> RunRecord:
        self._folder.write_record(self._record)
        self._folder.write_json("environment.json", describe_host())
        self._journal.emit(EventType.RUN_STARTED, message=self._folder.run_id, path=str(self._folder.path))
        for note in self._request.notes:
            self._journal.note(note)
        session: Session | None = None
        try:
            context = RunContext(
                self._plan, self._folder, self._journal, self._request.control, self._request.loaded.path.parent
            )
            session = self._request.backend.open(context)
            self._walk(Walk(context, session, call), session)
        except WindtunnelError as error:
            self._blame(error)
        except BaseException as error:
            # An engine's own interruption: told in the record, then handed on to the engine.
            self._blame(_internal(error))
            if not isinstance(error, Exception):
                raise
        finally:
            self._finish(session)
        return self._record

    def _walk(self, walk: Walk, session: Session) -> None:
        try:
            try:
                walk.run()
                self._check_samples()
            except WindtunnelError as error:
                self._blame(error)
            except BaseException as error:
                self._blame(_internal(error))
                raise
            finally:
                self._summarise()
                self._folder.write_record(self._record)
                self._journal.emit(EventType.MEASURED, message=self._record.validity or "")
                if self._request.hold:
                    self._request.hold()
        finally:
            for problem in walk.tear_down():
                self._journal.note(f"teardown: {problem.message}", problem.step)
            session.close()

    def _finish(self, session: Session | None) -> None:
        left = []
        if session:
            session.close()
            left = session.survivors()
            created = session.created()
            self._record.resources = ResourceCount(created=created, gone=max(0, created - len(left)), left=left)
        self._record.phases = self._journal.phases
        code = self._cause.exit_code if self._cause else ExitCode.OK
        if code == ExitCode.OK and self._record.validity == "suspect" and self._request.strict:
            code = ExitCode.INVALID
        if code == ExitCode.OK and left:
            code = ExitCode.LEFT_BEHIND
        self._record.exit_code = int(code)
        self._record.status = _STATUS.get(code, "failed")
        self._record.finished = timestamp(time.time())
        self._folder.write_record(self._record)
        self._journal.emit(EventType.RUN_FINISHED, message=self._record.status, exit_code=int(code))

    def _blame(self, error: WindtunnelError) -> None:
        if self._cause:
            self._journal.note(f"also: {error.message}", error.step)
            return
        self._cause = error
        self._record.cause = Cause(
            code=error.code, step=error.step, message=error.message, log_tail=list(error.log_tail)
        )
        self._journal.emit(EventType.CAUSE, error.step, message=error.message, code=error.code)

    def _check_samples(self) -> None:
        metrics = summarise(self._journal.samples, self._plan)
        if error := missing_samples(self._plan, metrics):
            raise error

    def _summarise(self) -> None:
        record = self._record
        record.metrics = summarise(self._journal.samples, self._plan)
        record.usage = summarise_usage(self._journal.usage, self._journal.phases)
        record.phases = self._journal.phases
        record.validity, record.reasons = judge(
            self._cause, self._plan, record.metrics, record.usage, self._journal.phases
        )


def _internal(error: BaseException) -> WindtunnelError:
    """Return what is no error of ours as one: an interruption is a cancel, the rest is a bug."""
    if not isinstance(error, Exception):
        return Cancelled(f"interrupted by {type(error).__name__}")
    trace = "".join(traceback.format_exception(error)).splitlines()
    return WindtunnelError(f"a bug of Windtunnel's: {type(error).__name__}: {error}", log_tail=tuple(trace))
