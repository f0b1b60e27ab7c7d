"""What `windtunnel install` is told by what makes a platform ready for runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


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

    def install(self, store: Path, namespace: str | None) -> Installed:
        """Make what a platform needs once; again changes nothing that somebody else has set.

        Args:
            store: The folder that keeps runs, as who looks after them sees it.
            namespace: Where in a cluster; else the context's own.

        Raises:
            UsageError: The platform has no namespaces, or is not configured.
            PlatformError: It does not answer, or this user may not do it.
        """
        ...

    def as_manifests(self, namespace: str | None) -> list[dict[str, Any]]:
        """Return the objects that `install` would make, for ``kubectl apply``.

        Raises:
            UsageError: The platform is no cluster.
            PlatformError: It has to be asked for its namespace, and does not answer.
        """
        ...
