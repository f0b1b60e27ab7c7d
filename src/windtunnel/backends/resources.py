"""What runs have on a platform: found by a run's mark, removed, and looked for again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from windtunnel.errors import PlatformError

LOOK_SECONDS = 0.5
"""Between two looks at what is being removed."""
GONE_SECONDS = 60.0
"""How long that may take."""


class Resource(Protocol):
    """A process, container or object of a run; its text names it for a person."""

    @property
    def run_id(self) -> str:
        """The run that it carries the mark of."""
        ...


R = TypeVar("R", bound=Resource)


class Resources(Protocol[R]):
    """What runs have on one platform."""

    def find(self, run_id: str | None = None) -> Sequence[R]:
        """Return what carries a run's mark, of any run if None, in the order in which it can be removed.

        Raises:
            PlatformError: The platform cannot be asked.
        """
        ...

    def remove(self, found: Sequence[R], /) -> None:
        """Begin to remove resources; one that is gone already is fine, and one that cannot go is found again.

        Raises:
            PlatformError: The platform cannot be asked.
        """
        ...

    def is_attended(self, one: R, /) -> bool:
        """Tell whether somebody looks after a resource that `find` returned last: its run's warden, or its driver."""
        ...


def find_orphans(resources: Resources[R]) -> list[R]:
    """Return the resources of all runs that nobody looks after (PlatformError)."""
    return [one for one in resources.find() if not resources.is_attended(one)]


def end_orphans(resources: Resources[R], orphans: Sequence[R]) -> Sequence[R]:
    """Remove orphans, and those that their runs have meanwhile; return what is still there, or may be."""
    runs = {one.run_id for one in orphans}
    try:
        return remove_all(
            resources, lambda: [one for one in find_orphans(resources) if one.run_id in runs], GONE_SECONDS
        )
    except PlatformError:
        return orphans


def remove_all(resources: Resources[R], find: Callable[[], Sequence[R]], seconds: float, wait: float = 0) -> list[R]:
    """Remove resources until a look finds none, and return what is left.

    Args:
        resources: Those of the platform.
        find: The look.
        seconds: After so many, what a look finds is left.
        wait: Before so many are over, what may be going by itself is not removed.

    Raises:
        PlatformError: The platform cannot be asked.
    """
    began = time.monotonic()
    while found := find():
        passed = time.monotonic() - began
        if passed > seconds:
            return list(found)
        if passed >= wait:
            resources.remove(found)
        time.sleep(LOOK_SECONDS)
    return []
