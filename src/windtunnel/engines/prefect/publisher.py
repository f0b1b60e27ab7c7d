"""Tells a Prefect server what a run does, without ever letting the measurement wait for the server."""

from __future__ import annotations

import contextvars
import queue
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.client.orchestration import get_client
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from windtunnel.engines.prefect.artifacts import publish_report, publish_result
from windtunnel.engines.prefect.flow_run_state import AWAY_SECONDS, FlowRunState
from windtunnel.engines.prefect.step_logs import StepLogs
from windtunnel.engines.prefect.tags import run_tags
from windtunnel.plan import Plan
from windtunnel.run.control import POLL_SECONDS, Control
from windtunnel.run.events import Event, EventType
from windtunnel.run.record import RunRecord
from windtunnel.run.threads import ThreadGroup
from windtunnel.secrets import Redaction

_LOOK_SECONDS = 2.0
"""How often steps' output and the flow run's state are read while steps run."""
_END_SECONDS = 120.0
"""How long it then waits until all is told."""
_HASTY_SECONDS = 20.0
"""How long one waits that was told to end: its process may be killed soon, and its state has to be told before."""
_OPENS = frozenset({EventType.SERVICE_STARTING, EventType.ITERATION_STARTING})
_CLOSES = frozenset({EventType.SERVICE_STOPPED, EventType.ITERATION_FINISHED})
_SENTENCES = {
    EventType.SERVICE_READY: "{step} is ready",
    EventType.SERVICE_STOPPED: "{step} is stopped",
    EventType.INPUT_FETCHED: "fetched {message}",
    EventType.MEASURED: "measured: {message}",
}


class Publisher:
    """Names and tags the flow run, and keeps its log, progress and artifacts.

    It is the run's observer and a context manager. What it is told is done later, in order,
    by a thread of its own; a server that is away costs messages, never the measurement.

    Args:
        plan: The run's plan.
        control: The run's; cancelled when somebody cancels the flow run.
        redaction: What is kept out of all that the server is told.

    Attributes:
        state: The state that the server has the flow run in.
        is_away: Whether the server was given up when the run was over.
    """

    def __init__(self, plan: Plan, control: Control, redaction: Redaction) -> None:
        self._plan, self._control, self._redaction = plan, control, redaction
        self._logger = get_run_logger()
        self._id = UUID(str(flow_run.id))
        self._tags: list[str] = list(flow_run.tags or [])
        self.state = FlowRunState(self._id, control, self._logger)
        self._todo: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._logs: StepLogs | None = None
        self._progress: UUID | None = None
        self._total = sum(job.warmup + job.repeats for job in plan.jobs)
        self._finished = 0
        self._has_result = False
        self._has_complained = False
        self.is_away = False
        # Prefect finds the run that an artifact belongs to in the context.
        self._context = contextvars.copy_context()
        # It tells what comes after the run, too, and ends later than the run's own threads.
        self._threads = ThreadGroup(control.fail)

    def __enter__(self) -> Self:
        self._threads.start("publisher", lambda: self._context.run(self._work))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._todo.put(None)
        is_hasty = self._control.is_cancelled or self._control.failure is not None
        deadline = time.monotonic() + (0.0 if self.is_away else _HASTY_SECONDS if is_hasty else _END_SECONDS)
        while self._threads.join(POLL_SECONDS):
            if time.monotonic() > deadline or self._control.is_urgent:
                if not self.is_away:
                    self._logger.warning("the server is too slow: not all of this run is shown here")
                return

    def __call__(self, event: Event) -> None:
        """Take note of an event; it is told later."""
        self._todo.put(lambda: self._tell(event))

    def conclude(self, record: RunRecord, *, report: bool) -> None:
        """Publish what is known at a run's end, as soon as the server is there: its cause, report and plots."""
        self.is_away = not self.state.until_server(AWAY_SECONDS)
        if self.is_away:
            return
        self._todo.put(lambda: self._conclude(record))
        if report:
            self._todo.put(lambda: publish_report(record))

    def _work(self) -> None:
        next_look = time.monotonic() + _LOOK_SECONDS
        while True:
            try:
                todo = self._todo.get(timeout=max(0.0, next_look - time.monotonic()))
            except queue.Empty:
                self._try(self._look)
                next_look = time.monotonic() + _LOOK_SECONDS
                continue
            if todo is None:
                return
            self._try(todo)

    def _try(self, todo: Callable[[], None]) -> None:
        try:
            todo()
        except Exception as error:  # noqa: BLE001 - the server's troubles are not the run's
            if not self._has_complained:
                self._has_complained = True
                words = self._redaction.text(f"{type(error).__name__}: {error}")
                self._logger.warning("not all of this run can be shown here: %s", words)

    def _look(self) -> None:
        if self._logs:
            self._logs.forward()
        self.state.look()

    def _tell(self, event: Event) -> None:
        self._follow(event)
        if event.type is EventType.RUN_STARTED:
            self._introduce(event)
        elif event.type is EventType.NOTE:
            self._logger.warning("%s%s", f"{event.step}: " if event.step else "", event.message)
        elif event.type is EventType.CAUSE:
            self._logger.error("%s%s", f"{event.step}: " if event.step else "", event.message)
        elif event.type is EventType.ITERATION_FINISHED:
            self._count(event)
        elif event.type in _SENTENCES:
            self._logger.info(_SENTENCES[event.type].format(step=event.step, message=event.message))
        if event.type is EventType.MEASURED:
            self._publish_result()

    def _follow(self, event: Event) -> None:
        """Read a step's log while it is up."""
        if not self._logs or not event.step:
            return
        if event.type in _OPENS:
            self._logs.open(event.step, event.iteration)
        elif event.type is EventType.SERVICE_READY:
            self._logs.forward()
        elif event.type in _CLOSES:
            self._logs.close(event.step, event.iteration)

    def _introduce(self, event: Event) -> None:
        """Give the flow run the run's id as its name, and the tags that it is found by."""
        folder = Path(str(event.data["path"]))
        self._logs = StepLogs(folder, self._logger, self._redaction)
        self._logger.info("results: %s", folder)
        tags = [*self._tags, *run_tags(self._plan, self._redaction)]
        with get_client(sync_client=True) as client:
            client.update_flow_run(self._id, name=event.message, tags=list(dict.fromkeys(tags)))
        key = f"{self._plan.benchmark}-progress"
        made = create_progress_artifact(0.0, key=key, description=f"Iterations of {self._plan.benchmark}")
        self._progress = cast("UUID", made)  # outside an event loop it is not a coroutine

    def _count(self, event: Event) -> None:
        self._finished += 1
        job = next(job for job in self._plan.jobs if job.name == event.step)
        self._logger.info("%s: %s samples", job.title(event.iteration or 0), event.data.get("samples"))
        # While there is more to tell, an older figure would be wrong when it is read.
        if self._progress and (self._todo.empty() or self._finished == self._total):
            update_progress_artifact(self._progress, progress=100.0 * self._finished / self._total)

    def _publish_result(self) -> None:
        if self._logs:
            publish_result(self._logs.folder)
            self._has_result = True

    def _conclude(self, record: RunRecord) -> None:
        """Tell the last words of the step at fault, and what could not be told while the server was away."""
        if record.cause:
            for line in record.cause.log_tail:
                self._logger.error("%s | %s", record.cause.step, line)
        if not self._has_result:
            self._publish_result()
