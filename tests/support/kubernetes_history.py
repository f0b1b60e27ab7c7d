"""When objects of a cluster were made, and when they were gone, as the versions of the API's store tell."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from urllib3.exceptions import HTTPError

from support import kubernetes_api
from support.kubernetes_lab import KINDS, salt
from windtunnel.backends.kubernetes.watcher import shut

_WATCH_SECONDS = 600
_TOLD_SECONDS = 30.0
"""How long a busy API may take to tell of what has happened."""


class History:
    """Objects that were made since the history began, of the kinds that runs have."""

    def __init__(self) -> None:
        self._made: dict[str, int] = {}
        self._gone: dict[str, int] = {}

    def read(self, kind: str, answer: Any) -> None:
        """Take in what a watch of a kind tells, until it is shut."""
        rest = b""
        with suppress(HTTPError):
            for piece in answer.stream(65536, decode_content=True):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    self._take(kind, json.loads(line))

    def _take(self, kind: str, event: dict[str, Any]) -> None:
        metadata = event["object"]["metadata"]
        times = {"ADDED": self._made, "DELETED": self._gone}.get(event["type"], {})
        times[f"{kind} {metadata['name']}"] = int(metadata["resourceVersion"])

    def of(self, salt: str) -> list[tuple[int, int]]:
        """Return for each object whose name has a salt, once all of them are gone, when it was made and gone."""
        deadline = time.monotonic() + _TOLD_SECONDS
        while left := [name for name in list(self._made) if salt in name and name not in self._gone]:
            assert time.monotonic() < deadline, f"not gone: {left}"
            time.sleep(0.1)
        return [(made, self._gone[name]) for name, made in self._made.items() if salt in name]


def check_turns(found: History, first: str, second: str) -> None:
    """Check of two runs, by their ids, that the first one's last object was gone before the second's was made."""
    before, after = (found.of(salt(run)) for run in (first, second))
    assert len(before) > len(KINDS)
    assert len(after) > len(KINDS)
    assert max(gone for _made, gone in before) < min(made for made, _gone in after)


@contextmanager
def history() -> Iterator[History]:
    """Watch the cluster; lend the history, which goes on."""
    found = History()
    with ExitStack() as stack:
        for kind, path in KINDS.items():
            answer = kubernetes_api.watch(path, _WATCH_SECONDS)
            thread = threading.Thread(target=found.read, args=(kind, answer))
            thread.start()
            stack.callback(thread.join)
            stack.callback(shut, answer)
        yield found
