"""One run inside a flow run that goes on: its acts are tasks, and its outcome is the flow's state."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

from prefect import Task, allow_failure
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.context import TagsContext

from windtunnel.engines.execute import execute
from windtunnel.engines.prefect.artifacts import write_report
from windtunnel.engines.prefect.outcome_state import state_of
from windtunnel.engines.prefect.publisher import Publisher
from windtunnel.engines.prefect.termination import flow_run_signals
from windtunnel.engines.request import Request
from windtunnel.run.events import Observer
from windtunnel.run.record import RunRecord
from windtunnel.secrets import Redaction

T = TypeVar("T")


def run_in_flow(
    request: Request,
    keep: Callable[[RunRecord], None] = lambda _record: None,
    *,
    report: bool = False,
    on_away: Callable[[], object] = lambda: None,
) -> State[Any]:
    """Run a request in the flow run that this is called in; return the state that it ends in.

    Args:
        request: What to run.
        keep: Given the record.
        report: Whether the run's report and plots are made and published at its end.
        on_away: Called where the server was given up when the run was over.

    Raises:
        UsageError: The store cannot be written; nothing was started.
    """
    hidden = request.loaded.redaction | Redaction.of_variables(os.environ)
    publisher = Publisher(request.plan, request.control, hidden)
    # Prefect has handlers of its own by now, which would cut the walk.
    with flow_run_signals(request.control, publisher.state), _quiet_tasks(), publisher:
        observers: list[Observer] = [*request.observers, publisher]
        request = replace(request, observers=observers, report=write_report if report else None)
        record = execute(request, "prefect", TaskCaller())
        keep(record)
        publisher.conclude(record, report=report)
    state = state_of(record)
    if publisher.is_away:
        on_away()
        return state
    with suppress(Exception):  # whatever the server says now, the outcome is this
        state = publisher.state.settle(state)
    return state


@contextmanager
def _quiet_tasks() -> Iterator[None]:
    """Keep tracebacks of failed acts out of the log: the record says why, and they would bury it."""
    logger = logging.getLogger("prefect.task_runs")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


class TaskCaller:
    """Calls acts as tasks, in this thread, each after the one before it: so the run's graph reads like the walk."""

    def __init__(self) -> None:
        self._last: State[Any] | None = None

    def __call__(self, name: str, act: Callable[[], T]) -> T:
        """Do an act as a task of the current flow run; its result and its error are the act's own."""
        results: list[T] = []
        errors: list[BaseException] = []

        def body() -> None:
            try:
                results.append(act())
            except BaseException as error:
                errors.append(error)
                raise

        task = Task(fn=body, name=name, task_run_name=name, cache_policy=NO_CACHE, persist_result=False)
        after = [allow_failure(self._last)] if self._last else None
        # A task with a tag asks the server for a slot of that tag's limit: it would wait for one that is away.
        with TagsContext(current_tags=set()):
            self._last = task(return_state=True, wait_for=after)
        if errors:
            raise errors[0]
        if not results:
            raise RuntimeError(f"Prefect did not run the task {name!r}: {self._last.message}")
        return results[0]
