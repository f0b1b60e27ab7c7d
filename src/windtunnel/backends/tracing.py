"""System calls of a step: recorded by strace, counted, and kept with its artifacts."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from windtunnel.errors import PlatformError, Unsupported
from windtunnel.plan import Plan

RECORD, SUMMARY = "strace.txt.gz", "strace.json"
RAW = "strace.txt"
"""What strace writes while the step runs."""
# -D: the tracer is the command's grandchild, so the process, its parent, status and signals are the command's own.
# -q: not when it was attached; -ttt, -T: when each call began and how long it took, in microseconds.
OPTIONS = ("-f", "-D", "-q", "-ttt", "-T", "-s", "64")
_LINE = re.compile(r"(?P<process>\d+) +\d+\.\d+ (?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<began>\w+)\()")
_ERROR = re.compile(r".*\) += (?:-1|\?) (?P<error>E[A-Z0-9_]+)")
_SECONDS = re.compile(r"<(\d+\.\d+)>$")


@dataclass
class CallTotals:
    """What became of one system call.

    Attributes:
        calls: How often it was begun.
        seconds: How long all of them took, as the tracer saw it; waiting counts.
        errors: How often it failed, by the error's name.
    """

    calls: int = 0
    seconds: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)

    def to_json(self, name: str) -> dict[str, Any]:
        """Return it as JSON data."""
        failed = dict(self.errors.most_common())
        return {"name": name, "calls": self.calls, "seconds": round(self.seconds, 6), "errors": failed}


def refuse_traced(plan: Plan, backend: str) -> None:
    """Return if no step of a plan is to be traced.

    Raises:
        Unsupported: One is, and this backend cannot do that.
    """
    for step in plan.steps:
        if step.program.trace:
            raise Unsupported(
                f"{step.name}: trace = true: the {backend} backend cannot record system calls;"
                " use --backend process or docker",
                step=step.name,
            )


def find_strace(plan: Plan) -> Path | None:
    """Return where strace is, or None if no step of the plan needs it.

    Raises:
        PlatformError: One does, and it is not installed here (``strace_missing``).
    """
    traced = next((step.name for step in plan.steps if step.program.trace), None)
    if traced is None:
        return None
    if found := shutil.which("strace"):
        return Path(found).resolve()
    raise PlatformError(
        f"{traced}: trace = true needs strace, which is not installed here; install the package strace"
        " (apt install strace, dnf install strace, apk add strace)",
        code="strace_missing",
        step=traced,
    )


def traced_command(strace: Sequence[str], record: PurePath, argv: Sequence[str]) -> list[str]:
    """Return the command that runs `argv` and records its system calls.

    Args:
        strace: How strace is run.
        record: The file that it writes.
        argv: The whole command.
    """
    return [*strace, *OPTIONS, "-o", str(record), "--", *argv]


def keep_trace(raw: Path, folder: Path, step: str) -> None:
    """Put the record of a start of `step`, if there is one, and its summary into a folder of artifacts."""
    if not raw.is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with raw.open("rb") as source, gzip.open(folder / RECORD, "wb", compresslevel=5) as target:
        shutil.copyfileobj(source, target)
    with raw.open(encoding="utf-8", errors="replace") as lines:
        summary = {"step": step, **summarise(lines)}
    (folder / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    raw.unlink()


def summarise(lines: Iterable[str]) -> dict[str, Any]:
    """Return what the lines of a record come to: calls, errors and seconds in all and by system call.

    The system calls that took most of the time come first. One that was cut short by the end of
    its process counts as a call and has no time.
    """
    totals: dict[str, CallTotals] = {}
    processes = set()
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue  # a signal, or an end
        processes.add(match["process"])
        name = match["began"] or match["resumed"]
        call = totals.setdefault(name, CallTotals())
        call.calls += 1 if match["began"] else 0
        if line.endswith("<unfinished ...>\n"):
            continue
        if found := _SECONDS.search(line):
            call.seconds += float(found[1])
        if found := _ERROR.match(line):
            call.errors[found["error"]] += 1
    ordered = sorted(totals.items(), key=lambda item: (-item[1].seconds, -item[1].calls, item[0]))
    return {
        "threads": len(processes),
        "calls": sum(call.calls for call in totals.values()),
        "errors": sum(call.errors.total() for call in totals.values()),
        "seconds": round(sum(call.seconds for call in totals.values()), 6),
        "system_calls": [call.to_json(name) for name, call in ordered],
    }
