"""What a person sees while a run goes on: one line an event, and a spinner on a terminal."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from windtunnel.cli.output import console, is_stalled, print_err
from windtunnel.plan import Job, Plan
from windtunnel.printable import printable
from windtunnel.run.events import Event, EventType

if TYPE_CHECKING:
    from rich.live import Live
    from rich.spinner import Spinner

_REFRESH_PER_SECOND = 2.0
"""Low on purpose: a spinner's work is taken from the benchmark beside it."""
_LINE_SECONDS = 1.0
_DOING = {
    EventType.SERVICE_STARTING: "starting {step}",
    EventType.SERVICE_STARTED: "waiting until {step} is ready",
    EventType.SERVICE_STOPPING: "stopping {step}",
    EventType.UPLOADING: "storing it in {message}",
}
_DONE = {
    EventType.RUN_STARTED: "run {message}",
    EventType.INPUT_FETCHED: "fetched {message}",
    EventType.REQUIREMENTS_INSTALLED: "{step} has {message}",
    EventType.SERVICE_READY: "{step} is ready",
    EventType.SERVICE_STOPPED: "{step} is stopped",
}


class Progress:
    """Follows a run's events; it is their observer, and a context manager for the spinner."""

    def __init__(self, plan: Plan) -> None:
        self._jobs = {step.name: step for step in plan.steps if isinstance(step, Job)}
        self._began = time.monotonic()
        self._last_line = 0.0
        self._live: Live | None = None
        self._spinner: Spinner | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pause()

    def pause(self) -> None:
        """Stop the spinner, for somebody else to use the terminal; one of a stalled terminal cannot be stopped."""
        if self._live and not is_stalled():
            self._live.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if event.type is EventType.RUN_STARTED:
            self._start_spinner()
        step = event.step
        if event.type is EventType.ITERATION_STARTED:
            self._now(self._title(event))
        elif event.type is EventType.ITERATION_FINISHED:
            self._iteration(event)
        elif event.type is EventType.NOTE:
            self._line(f"note: {f'{step}: ' if step else ''}{event.message}", "yellow")
        elif event.type is EventType.CAUSE:
            self._line(event.message, "red")
        elif event.type in _DOING:
            self._now(_DOING[event.type].format(step=step, message=event.message))
        elif event.type in _DONE:
            self._line(_DONE[event.type].format(step=step, message=event.message))

    def _start_spinner(self) -> None:
        err = console(stderr=True)
        if not err.is_terminal or is_stalled():
            return
        from rich.live import Live
        from rich.spinner import Spinner

        self._spinner = Spinner("dots", "starting", style="status.spinner")
        # Standard output stays what it is: a result is printed there, also while a stalled terminal shows nothing.
        self._live = Live(
            self._spinner,
            console=err,
            refresh_per_second=_REFRESH_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def _iteration(self, event: Event) -> None:
        job = self._jobs[event.step or ""]
        is_last = event.iteration == job.warmup + job.repeats
        # A thousand short iterations are not worth a thousand lines.
        if is_last or event.data.get("status") != 0 or time.monotonic() - self._last_line >= _LINE_SECONDS:
            self._line(f"{self._title(event)}: {event.data.get('samples')} samples")

    def _title(self, event: Event) -> str:
        return self._jobs[event.step or ""].title(event.iteration or 0)

    def _now(self, text: str) -> None:
        if self._spinner:
            from rich.text import Text

            self._spinner.update(text=Text(printable(text)))

    def _line(self, text: str, style: str | None = None) -> None:
        self._last_line = time.monotonic()
        print_err(f"{self._last_line - self._began:7.2f} s  {text}", style)
