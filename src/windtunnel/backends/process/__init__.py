"""The process backend: each step is a process on this machine, below a warden."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from windtunnel.backends import BACKENDS
from windtunnel.backends.base import RunContext
from windtunnel.backends.preview import Document, Draft
from windtunnel.backends.process.platform import ProcessPlatform
from windtunnel.backends.process.preview import preview
from windtunnel.backends.process.resources import ProcessResources
from windtunnel.backends.session import Session
from windtunnel.plan import Plan


class ProcessBackend:
    """Runs steps as processes of this machine."""

    name = "process"
    traits = BACKENDS[name]

    def available(self) -> str | None:
        """Return why processes cannot be run here, or None."""
        if not sys.platform.startswith("linux"):
            return "needs Linux: the warden is a subreaper and reads /proc"
        return None

    def check(self, plan: Plan) -> list[str]:
        """Return no notes: what processes cannot do, their traits tell."""
        del plan
        return []

    def preview(self, draft: Draft) -> Iterator[Document]:
        """Yield the processes that would be started."""
        return preview(draft)

    def resources(self) -> ProcessResources | None:
        """Return what runs have on this machine, if it is one that processes can be run on."""
        return None if self.available() else ProcessResources()

    def open(self, context: RunContext) -> Session:
        """Start the warden of a run."""
        return Session(context, ProcessPlatform(context))
