"""The walk of a plan: order, iterations, deadlines and teardown, written once for all engines.

An engine says only how an act is called: inline calls it, Prefect makes it a task.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, TypeVar

from windtunnel.backends.base import Launch, RunContext
from windtunnel.backends.running import Running
from windtunnel.backends.session import Session
from windtunnel.errors import Cancelled, InvalidResult, TimedOut, WindtunnelError
from windtunnel.plan import Job, Service
from windtunnel.run.control import GracePeriod
from windtunnel.run.events import EventType
from windtunnel.run.extraction import Source, extract
from windtunnel.run.folder import tail
from windtunnel.run.samples import Sample
from windtunnel.run.tally import Tally

READ_SECONDS = 30.0
"""How long what a job wrote may be read when the run's time is over, or somebody asked it to stop."""
HURRY_SECONDS = 0.5
"""The same when somebody asked twice."""
SAMPLES_AT_ONCE = 10_000
T = TypeVar("T")


class Call(Protocol):
    """How an engine calls an act: by its name for people, and the function that does it."""

    def __call__(self, name: str, act: Callable[[], T], /) -> T:
        """Do an act; its result and its error are the act's own."""


class Walk:
    """One walk of one plan through a backend's session.

    Args:
        context: The run.
        session: Where its steps run.
        call: How an act is called; its result is the act's.
    """

    def __init__(self, context: RunContext, session: Session, call: Call) -> None:
        self._plan = context.plan
        self._journal = context.journal
        self._control = context.control
        self._folder = context.folder
        self._session = session
        self._call = call
        self._up: dict[str, Running] = {}

    def run(self) -> None:
        """Do all of the plan's steps in order; what is up at the end stays up.

        Raises:
            WindtunnelError: The first thing that went wrong.
        """
        if self._plan.inputs:
            self._act("fetch inputs", lambda: self._session.preparation.fetch(self._plan.inputs))
        if wanted := [step for step in self._plan.steps if step.program.requirements]:
            self._act("install requirements", lambda: self._session.preparation.install(wanted))
        fresh = {s.name for job in self._plan.jobs if job.fresh for s in self._plan.services_for(job)}
        for step in self._plan.order():
            if isinstance(step, Job):
                self._run_job(step)
            elif step.name not in fresh:
                self._bring_up(step)

    def tear_down(self) -> list[WindtunnelError]:
        """Stop all that is up, the last one first; return what went wrong, each alone."""
        problems: list[WindtunnelError] = []
        for name in reversed(list(self._up)):
            try:
                self._bring_down(name)
            except WindtunnelError as error:
                error.step = error.step or name
                problems.append(error)
            except Exception as error:  # noqa: BLE001 - one that cannot be stopped must not keep the others up
                problems.append(WindtunnelError(f"{type(error).__name__}: {error}", step=name))
        return problems

    def _act(self, name: str, act: Callable[[], T]) -> T:
        self._control.check()
        return self._without_secrets(name, act)

    def _without_secrets(self, name: str, act: Callable[[], T]) -> T:
        """Have an act called; the engine, which may tell others what goes wrong, sees no error with a secret."""

        def safe() -> T:
            try:
                return act()
            except Exception as error:
                self._folder.redaction.error(error)
                raise

        return self._call(name, safe)

    def _bring_up(self, service: Service, iteration: int | None = None) -> None:
        name = service.name

        def start() -> None:
            self._journal.emit(EventType.SERVICE_STARTING, name, iteration)
            launch = Launch(service, iteration, self._values(iteration))
            with self._journal.phase(name, "start", iteration):
                handle = self._session.start_service(launch)
            self._up[name] = handle
            address = handle.address
            self._journal.emit(EventType.SERVICE_STARTED, name, iteration, host=address.host, port=address.port)

        def ready() -> None:
            others = [handle for other, handle in self._up.items() if other != name]
            with self._journal.phase(name, "ready", iteration), self._naming_step(name, iteration):
                self._session.until_ready(self._up[name], others)
            self._journal.emit(EventType.SERVICE_READY, name, iteration)

        self._act(f"start {name}", start)
        self._act(f"{name} is ready", ready)

    def _bring_down(self, name: str, iteration: int | None = None) -> None:
        handle = self._up.pop(name)

        def stop() -> None:
            self._journal.emit(EventType.SERVICE_STOPPING, name, iteration)
            with self._journal.phase(name, "stop", iteration):
                self._session.stop(handle)
            self._folder.mask(self._folder.log(name, iteration))
            self._journal.emit(EventType.SERVICE_STOPPED, name, iteration)

        self._without_secrets(f"stop {name}", stop)

    def _run_job(self, job: Job) -> None:
        for iteration in range(1, job.warmup + job.repeats + 1):
            services = self._plan.services_for(job) if job.fresh else ()
            for service in services:
                self._bring_up(service, iteration)
            self._act(job.title(iteration), lambda: self._run_iteration(job, iteration))  # noqa: B023 - called at once
            for service in reversed(services):
                self._bring_down(service.name, iteration)

    def _run_iteration(self, job: Job, iteration: int) -> None:
        warmup = iteration <= job.warmup
        self._journal.emit(EventType.ITERATION_STARTING, job.name, iteration, warmup=warmup)
        handle = self._session.start_job(Launch(job, iteration, self._values(iteration)))
        status: int | None = None
        try:
            with self._journal.phase(job.name, "run", iteration, warmup=warmup), self._naming_step(job.name, iteration):
                self._journal.emit(EventType.ITERATION_STARTED, job.name, iteration)
                status = self._session.wait(handle, list(self._up.values()))
        except BaseException:
            try:
                self._finish_iteration(job, iteration, handle, status)
            except WindtunnelError as error:
                # What ended the wait is the cause, not what came of it.
                self._journal.note(f"also: {error.message}", error.step)
            raise
        try:
            self._finish_iteration(job, iteration, handle, status)
        except InvalidResult as error:
            if status == 0:
                raise
            self._journal.note(f"also: {error.message}", error.step)  # that the client failed is the cause
        # A server may have died after the client's last request, while its numbers were read.
        self._session.check(list(self._up.values()))
        self._session.judge(handle, status, list(self._up.values()))

    def _finish_iteration(self, job: Job, iteration: int, handle: Running, status: int | None) -> None:
        """End what is left of an iteration, and keep what it measured, also a failed one's."""
        self._journal.check_room()
        tally, before = Tally(job.name, iteration, iteration <= job.warmup), len(self._journal.samples)
        try:
            self._session.stop(handle)
        finally:
            try:
                self._keep_samples(job, handle, tally)
            finally:
                self._folder.mask(self._folder.log(job.name, iteration))
                for note in tally.notes:
                    self._journal.note(note, job.name, iteration)
                if more := tally.unread.total() - len(tally.notes):
                    self._journal.note(f"and {more} more like these", job.name, iteration)
                self._journal.finish(tally, status=status, samples=len(self._journal.samples) - before)

    def _keep_samples(self, job: Job, handle: Running, tally: Tally) -> None:
        """Write down what an iteration measured, as it is read; what was read before an error is kept."""
        iteration, now = tally.iteration, time.time()
        seconds = HURRY_SECONDS if self._control.is_urgent else max(self._control.left, READ_SECONDS)
        check = GracePeriod(self._control, seconds).check
        batch: list[Sample] = []
        try:
            for m in extract(Source(job.metrics, self._folder.log(job.name, iteration), handle.metrics, tally, check)):
                moment = m.time or now
                batch.append(Sample(m.metric, m.value, m.unit, iteration, moment, job.name, m.labels, tally.warmup))
                if len(batch) == SAMPLES_AT_ONCE:
                    batch, full = [], batch
                    self._journal.add_samples(full)
        except (TimedOut, Cancelled, InvalidResult) as error:
            message = f"what {job.name} wrote in iteration {iteration} was not all read: {error.message}"
            kind, code = type(error), error.code
            if kind is TimedOut and self._control.is_cancelled:
                kind, code = Cancelled, Cancelled.default_code  # the time was short since somebody asked to stop
            raise kind(message, code=code, step=job.name) from None
        finally:
            self._journal.add_samples(batch)

    @contextmanager
    def _naming_step(self, step: str, iteration: int | None) -> Iterator[None]:
        """Name the step in which the deadline or a cancel came, with its last lines."""
        try:
            yield
        except (TimedOut, Cancelled) as error:
            error.step = error.step or step
            error.log_tail = error.log_tail or tail(self._folder.log(step, iteration))
            raise

    def _values(self, iteration: int | None) -> Mapping[str, str]:
        """Return the addresses of all that is up, under the names that the steps know them by."""
        values = {} if iteration is None else {"ITERATION": str(iteration)}
        for handle in self._up.values():
            values |= self._session.values(handle)
        return values
