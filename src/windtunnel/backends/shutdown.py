"""The end of a step: its stop command, its grace, what is left of it, and what it wrote."""

from __future__ import annotations

import time
from collections.abc import Sequence

from windtunnel.backends.base import RunContext
from windtunnel.backends.health import Prober
from windtunnel.backends.notifier import seconds_until
from windtunnel.backends.probes import Answer
from windtunnel.backends.running import Running
from windtunnel.errors import PlatformError
from windtunnel.plan import Job, Service

JOB_GRACE_SECONDS = 5.0
LEFTOVER_GRACE_SECONDS = 1.0
"""What a job's leftovers get: its command has ended."""
LEAST_HEARING_SECONDS = 0.5
"""How long a step's end is waited for that seems to have come with its stop command."""


class Shutdown:
    """Ends the steps of a run.

    Args:
        context: The run.
        prober: Runs stop commands.
    """

    def __init__(self, context: RunContext, prober: Prober) -> None:
        self._notifier, self._journal, self._control = context.notifier, context.journal, context.control
        self._prober = prober

    def end(self, running: Running) -> None:
        """End a step: stop command, SIGTERM, SIGKILL."""
        step = running.step
        grace = step.grace if isinstance(step, Service) else JOB_GRACE_SECONDS
        if isinstance(step, Service) and step.stop and not running.is_gone:
            self._run_stop_command(running, step.stop, grace)
        has_left = all(task.state.status is not None for task in running.tasks) and not running.is_gone
        if isinstance(step, Job) and has_left:
            self._journal.note("left processes behind; they are ended", running.name)
            grace = LEFTOVER_GRACE_SECONDS
        running.platform.stop(running.tasks, grace)

    def _run_stop_command(self, running: Running, command: Sequence[str], grace: float) -> None:
        deadline = time.monotonic() + min(grace, self._control.grace_left)
        try:
            answer = self._prober.run_beside(running, tuple(command), seconds_until(deadline))
        except PlatformError as error:
            answer = Answer(ok=False, detail=error.message)
        if answer.ok:
            self._notifier.wait_for_grace(lambda: running.is_gone, seconds_until(deadline))
            return
        # One that runs beside its server may be ended with it before it can tell that it was obeyed.
        hearing = max(LEAST_HEARING_SECONDS, running.platform.latency)
        self._notifier.wait_patiently(lambda: running.is_gone, min(hearing, grace))
        if not running.is_gone:
            self._journal.note(f"the stop command failed ({answer.detail}); SIGTERM instead", running.name)
