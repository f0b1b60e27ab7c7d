"""The process backend: each step is a process on this machine, below a warden."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from windtunnel.backends.base import RunContext, Session
from windtunnel.backends.process.session import ProcessSession
from windtunnel.errors import Unsupported
from windtunnel.plan import Plan, Service, Step


class ProcessBackend:
    """Runs steps as processes of this machine."""

    name = "process"

    def available(self) -> str | None:
        """Return why processes cannot be run here, or None."""
        if not sys.platform.startswith("linux"):
            return "needs Linux: the warden is a subreaper and reads /proc"
        return None

    def check(self, plan: Plan) -> list[str]:
        """Refuse what only containers can do; note what is ignored."""
        for item in plan.inputs:
            if item.path.startswith("/"):
                raise Unsupported(f"input {item.src}: the absolute path {item.path!r} is for containers")
        return [note for step in plan.steps for note in _check_step(step)]

    def open(self, context: RunContext) -> Session:
        """Start the warden of a run."""
        return ProcessSession(context)


def _check_step(step: Step) -> Iterator[str]:
    program = step.program
    for path in program.files:
        if path.startswith("/"):
            _refuse(step.name, f"the absolute path {path!r} in files is for containers")
    if program.isolation == "sealed":
        _refuse(
            step.name,
            'isolation = "sealed" cannot be kept for processes, which see all of this machine; use --backend docker',
        )
    if program.image:
        yield f"{step.name}: image {program.image!r} is ignored; the command is taken from PATH"
    if program.cpu or program.memory:
        yield f"{step.name}: resources are ignored; processes share this machine"
    if isinstance(step, Service):
        if step.replicas > 1:
            _refuse(step.name, f"{step.replicas} replicas behind one address need containers")
        if step.placement != "apart":
            yield f"{step.name}: placement {step.placement!r} is ignored; all is on this machine"


def _refuse(step: str, reason: str) -> None:
    raise Unsupported(f"{step}: {reason}; the process backend cannot do that", step=step)
