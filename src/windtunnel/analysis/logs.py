"""The ends of a run's logs: those of what failed first, and not more than a person reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from windtunnel.analysis.detail import Iteration
from windtunnel.run.folder import tail
from windtunnel.run.record import Cause

MOST_LOGS = 20
_LINES = 30
_LONGEST_LINE = 500
_NAME = re.compile(r"(?P<step>.*?)(?:\.(?P<iteration>\d+))?\.log")
_Key = tuple[str, int | None]  # a step, and the iteration if it has a log for each


@dataclass(frozen=True)
class Log:
    """One log: its file's name, its size in bytes, its last lines, and why it is shown first, if it is."""

    name: str
    size: int
    lines: Sequence[str]
    mark: str


def last_lines(folder: Path, iterations: Iterable[Iteration], cause: Cause | None) -> tuple[list[Log], int]:
    """Return the ends of the most telling logs, and how many are left out.

    First are those of iterations that failed and of the step that the cause names, then
    those of services, then those of iterations, the last one first.
    """
    files = []
    for path in (folder / "logs").glob("*.log"):
        match = _NAME.fullmatch(path.name)
        if match and path.is_file():
            files.append((match["step"], int(match["iteration"]) if match["iteration"] else None, path))
    marks: dict[_Key, str] = {(item.step, item.number): "failed" for item in iterations if item.is_failed}
    if cause and cause.step and all(step != cause.step for step, _number in marks):
        own = [(step, number) for step, number, _path in files if step == cause.step]
        marks |= dict.fromkeys(sorted(own, key=lambda key: key[1] or 0)[-1:], "named in the verdict")
    files.sort(key=lambda log: (log[:2] not in marks, log[1] is not None, -(log[1] or 0), log[0]))
    logs = [
        Log(
            path.name, path.stat().st_size, [_shown(line) for line in tail(path, _LINES)], marks.get((step, number), "")
        )
        for step, number, path in files[:MOST_LOGS]
    ]
    return logs, len(files) - len(logs)


def _shown(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + " …"
