"""The docker backend: each step is a container, on a network of the run's own, watched by a warden."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from windtunnel.backends import BACKENDS
from windtunnel.backends.base import RunContext, warden_seconds
from windtunnel.backends.containers import HOME, WORK
from windtunnel.backends.docker.api import DockerApi
from windtunnel.backends.docker.daemon import Daemon, DaemonError
from windtunnel.backends.docker.preview import preview
from windtunnel.backends.docker.resources import DockerResources
from windtunnel.backends.docker.warden_client import WardenClient
from windtunnel.backends.labels import RunLabels
from windtunnel.backends.preview import Document, Draft
from windtunnel.backends.session import Session
from windtunnel.errors import Unsupported
from windtunnel.extras import missing_extra
from windtunnel.plan import Plan, Step

LEAST_API = (1, 41)
"""Docker 20.10."""
LEAST_CPU = 0.01
"""Cores: below, Linux takes no limit."""
ASK_SECONDS = 5.0
_COVERED = tuple(map(PurePosixPath, ("/dev", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/proc", "/sys")))
"""What Docker mounts over, in each container."""


class DockerBackend:
    """Runs steps as containers of a Docker daemon, the one that ``DOCKER_HOST`` names."""

    name = "docker"
    traits = BACKENDS[name]

    def available(self) -> str | None:
        """Return why containers cannot be run here, or None."""
        if reason := missing_extra(self.name, self.traits.needs):
            return reason
        try:
            daemon = Daemon()
        except (ValueError, OSError) as error:
            return str(error)
        try:
            facts = daemon.call("GET", "/version", timeout=ASK_SECONDS)
        except (DaemonError, OSError) as error:
            return f"no Docker daemon at {daemon.host}: {getattr(error, 'strerror', None) or error}"
        return _unfit(facts)

    def check(self, plan: Plan) -> list[str]:
        """Refuse files where none can be put, limits that Linux does not know, and the name of the container itself."""
        places = [item.path for item in plan.inputs]
        for step in plan.steps:
            _check_step(step, places)
        return []

    def preview(self, draft: Draft) -> Iterator[Document]:
        """Yield the requests that would be made."""
        return preview(draft)

    def resources(self) -> DockerResources | None:
        """Return what runs have on the daemon, if it answers; the SDK is not needed for that."""
        try:
            daemon = DockerApi()
            daemon.call("GET", "/version", timeout=ASK_SECONDS)
        except (DaemonError, OSError, ValueError):
            return None
        return DockerResources(daemon)

    def open(self, context: RunContext) -> Session:
        """Start the warden of a run, then make the run's network."""
        run_id = context.folder.run_id
        seconds = warden_seconds(context.plan, context.control.timeout)
        errors = context.folder.path / "logs" / "warden.log"
        warden = WardenClient(context.notifier, run_id, seconds, errors)
        try:
            # While the warden starts, the rest is loaded.
            from windtunnel.backends.docker.platform import DockerPlatform

            labels = RunLabels(run_id, context.plan, time.time() + seconds)
            return Session(context, DockerPlatform(context, warden, labels))
        except BaseException:
            warden.close()
            raise


def _check_step(step: Step, inputs: Sequence[str]) -> None:
    for path in (*step.program.files, *inputs):
        if _is_covered(PurePosixPath(path)):
            raise Unsupported(
                f"{step.name}: nothing can be put at {path!r}: Docker puts files of its own there, or it is the run's",
                step=step.name,
            )
    if step.program.cpu and step.program.cpu < LEAST_CPU:
        raise Unsupported(f"{step.name}: resources.cpu is at least {LEAST_CPU:g} on docker", step=step.name)
    absolute = next((path for path in (*step.program.files, *inputs) if path.startswith("/")), None)
    if step.program.isolation == "sealed" and absolute:
        raise Unsupported(
            f"{step.name}: it is sealed, so its root cannot be written, and nothing can be put at {absolute!r};"
            " give a path relative to $WINDTUNNEL_WORK",
            step=step.name,
        )
    if step.name == "localhost":
        raise Unsupported(
            "localhost: no server can be called so on docker: in each container that is itself", step=step.name
        )


def _is_covered(path: PurePosixPath) -> bool:
    """Tell whether a container would not see what is put at an absolute path, or take it for something else."""
    if HOME in path.parents:
        return WORK not in path.parents
    return path == HOME or any(path.is_relative_to(place) for place in _COVERED)


def _unfit(facts: Mapping[str, Any]) -> str | None:
    """Return why a daemon that told these facts will not do, or None."""
    if facts.get("Os") != "linux":
        return f"needs Linux containers; the daemon runs {facts.get('Os')}"
    if tuple(map(int, facts["ApiVersion"].split("."))) < LEAST_API:
        return f"needs Docker 20.10 or newer; this is {facts['Version']}"
    return None
