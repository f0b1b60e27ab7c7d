"""What is done once, before the first step of a run: inputs are fetched, and Python packages installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from windtunnel.backends.base import RunContext
from windtunnel.backends.inputs import fetch_input
from windtunnel.backends.platform import Platform
from windtunnel.plan import InputFile, Job, Service
from windtunnel.run.events import EventType


class Preparation:
    """Prepares the steps of one run.

    Args:
        context: The run.
        platforms: Where its steps run.
        platform_of: Returns where a step runs.
    """

    def __init__(
        self, context: RunContext, platforms: Sequence[Platform], platform_of: Callable[[Service | Job], Platform]
    ) -> None:
        self._context, self._platforms, self._platform_of = context, platforms, platform_of
        self._folder, self._journal, self._control = context.folder, context.journal, context.control
        self._fetched: dict[str, tuple[Path, str]] = {}

    def fetch(self, inputs: Sequence[InputFile]) -> None:
        """Fetch and verify the inputs.

        Raises:
            PlatformError: One cannot be had, or is not what it should be.
            TimedOut, Cancelled: As the run's control says.
        """
        for platform in self._platforms:
            platform.share(inputs, self._fetch)

    def _fetch(self, item: InputFile) -> tuple[Path, str]:
        if item.path not in self._fetched:
            # A copy of the run's own: what a step writes to it reaches neither the original nor the cache.
            target = self._folder.path / "work" / "inputs" / str(len(self._fetched))
            context = self._context
            path, digest = fetch_input(item, context.base, self._control, target, context.carried)
            self._fetched[item.path] = path, digest
            self._journal.emit(EventType.INPUT_FETCHED, message=item.src, path=str(path), sha256=digest)
        return self._fetched[item.path]

    def install(self, steps: Sequence[Service | Job]) -> None:
        """Install the Python packages that steps require, for all of their starts, or take them from the user's cache.

        Raises:
            PlatformError: They cannot be installed (``requirements_failed``).
            TimedOut, Cancelled: As the run's control says.
        """
        for step in steps:
            packages, is_kept = self._platform_of(step).install(step)
            # An image may have it all.
            names = [f"{name} {version}" for name, version in sorted(packages.items())] or ["all that it requires"]
            self._journal.emit(
                EventType.REQUIREMENTS_INSTALLED,
                step.name,
                message=", ".join(names),
                packages=packages,
                cached=is_kept,
            )
