"""What `windtunnel install` is told, and what it is told back by what makes a platform ready for runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

START_SECONDS = 600
"""How long a flow run's pod may take to start unless the user says otherwise: images of a gigabyte, nodes to come."""


@dataclass(frozen=True)
class PoolOptions:
    """A Prefect work pool on Kubernetes, as the user wants it.

    Attributes:
        api_url: The address of Prefect's API as pods see it; else that of the configured server.
        image: Windtunnel's image, which flow runs are in; else what ``WINDTUNNEL_RUNNER_IMAGE`` names.
        start_seconds: How long a flow run's pod may take to start.
    """

    api_url: str | None = None
    image: str | None = None
    start_seconds: int = START_SECONDS


@dataclass(frozen=True)
class InstallOptions:
    """What the user asks for.

    Attributes:
        store: The folder that keeps runs, as who looks after them sees it.
        namespace: Where in a cluster; else the context's own.
        pool: What a work pool on Kubernetes is to be like.
    """

    store: Path
    namespace: str | None = None
    pool: PoolOptions = PoolOptions()


@dataclass(frozen=True)
class Installed:
    """What was made.

    Attributes:
        lines: A line for each thing.
        hints: What to do next, a line each.
        namespace: Where in a cluster, if it is one.
    """

    lines: Sequence[str]
    hints: Sequence[str]
    namespace: str | None = None


class Installer(Protocol):
    """The module that a row of a table names as its installer."""

    def install(self, options: InstallOptions) -> Installed:
        """Make what a platform needs once; again changes nothing that somebody else has set.

        Raises:
            UsageError: The platform has no namespaces, or is not configured.
            PlatformError: It does not answer, or this user may not do it.
        """
        ...

    def as_manifests(self, options: InstallOptions) -> list[dict[str, Any]]:
        """Return the objects that `install` would make in a cluster, for ``kubectl apply``.

        Raises:
            UsageError: The platform is no cluster, or the options cannot be.
            PlatformError: It has to be asked for its namespace, and does not answer.
        """
        ...
