"""What a traced step asked of the kernel: counted from strace's record, added up over starts."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from windtunnel.run.folder import RunFolder

SUMMARY = "strace.json"
"""What the summary of one start is called among its artifacts."""

_LINE = re.compile(r"\d+ +\d+\.\d+ (?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<begun>\w+)\()")
# The last of what looks like a result is it: a text among the arguments may look like one too.
_RESULT = re.compile(r".*\) += (?P<value>\S+)(?: (?P<error>E[A-Z0-9_]+))?")
_FAILED = {"-1", "?"}
_SECONDS = re.compile(r"<(\d+\.\d+)>$")
_UNFINISHED = "<unfinished ...>\n"


@dataclass
class SystemCall:
    """One system call.

    Attributes:
        name: The call's name.
        calls: How often the call was begun.
        seconds: Seconds that all of these calls took together, as the tracer saw it; waiting counts.
        failures: Number of failed calls, by the error's name.
    """

    name: str
    calls: int = 0
    seconds: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def errors(self) -> int:
        """Number of failed calls."""
        return self.failures.total()

    @property
    def usual_error(self) -> str | None:
        """The most frequent error, if there was one."""
        return self.failures.most_common(1)[0][0] if self.failures else None


@dataclass
class Trace:
    """The system calls of one step, in one start or in several together.

    Attributes:
        step: The step.
        system_calls: The one that took most time first.
        starts: Number of starts.
    """

    step: str
    system_calls: list[SystemCall]
    starts: int = 1

    @property
    def calls(self) -> int:
        """Number of system calls."""
        return sum(call.calls for call in self.system_calls)

    @property
    def errors(self) -> int:
        """Number of failed system calls."""
        return sum(call.errors for call in self.system_calls)

    @property
    def seconds(self) -> float:
        """Seconds that all system calls took together."""
        return sum(call.seconds for call in self.system_calls)

    def to_json(self) -> dict[str, Any]:
        """Return the trace as JSON data."""
        return {
            "step": self.step,
            "calls": self.calls,
            "errors": self.errors,
            "seconds": round(self.seconds, 6),
            "system_calls": [
                {
                    "name": call.name,
                    "calls": call.calls,
                    "seconds": round(call.seconds, 6),
                    "errors": dict(call.failures.most_common()),
                }
                for call in self.system_calls
            ],
        }


def count_calls(step: str, lines: Iterable[str]) -> Trace:
    """Return what the lines of a record come to (strace(1): options -f, -ttt and -T, into one file).

    A call that was cut short by the end of its process counts, and has no time.
    """
    calls: dict[str, SystemCall] = {}
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue  # a signal, or an end
        name = match["begun"] or match["resumed"]
        call = calls.setdefault(name, SystemCall(name))
        call.calls += 1 if match["begun"] else 0
        if line.endswith(_UNFINISHED):
            continue
        if took := _SECONDS.search(line):
            call.seconds += float(took[1])
        result = _RESULT.match(line)
        if result and result["error"] and result["value"] in _FAILED:
            call.failures[result["error"]] += 1
    return Trace(step, _in_order(calls.values()))


def load_traces(folder: RunFolder) -> list[Trace]:
    """Return what each traced step of a run did in all of its starts together, by their names."""
    by_step: dict[str, list[Mapping[str, Any]]] = {}
    for path in sorted(folder.path.glob(f"artifacts/*/{SUMMARY}")):
        summary = json.loads(path.read_text(encoding="utf-8"))
        by_step.setdefault(summary["step"], []).append(summary)
    return [Trace(step, _add_up(group), len(group)) for step, group in sorted(by_step.items())]


def _add_up(summaries: Iterable[Mapping[str, Any]]) -> list[SystemCall]:
    calls: dict[str, SystemCall] = {}
    for item in (item for summary in summaries for item in summary["system_calls"]):
        call = calls.setdefault(item["name"], SystemCall(item["name"]))
        call.calls += item["calls"]
        call.seconds += item["seconds"]
        call.failures.update(item["errors"])
    return _in_order(calls.values())


def _in_order(calls: Iterable[SystemCall]) -> list[SystemCall]:
    return sorted(calls, key=lambda call: (-call.seconds, -call.calls, call.name))
