"""Which tests go to which of the processes that pytest-xdist starts."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

TOGETHER = (
    "tests/cluster/",
    "tests/contract/test_engines.py",
    "tests/server/test_deploy",
    "tests/server/test_kubernetes",
    "tests/server/test_",
    "tests/unit/test_page.py",
)
"""Files, or folders of files, whose tests share something that is dear to start, such as a Prefect server.

So are the reports of `test_page.py`, which all of its tests look at.
"""


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """A test goes to whichever process is free; those of one entry of `TOGETHER` stay together, and go first."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((begin for begin in TOGETHER if file.startswith(begin)), nodeid)
