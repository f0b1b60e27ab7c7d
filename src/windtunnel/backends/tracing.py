"""System calls of a step: recorded by strace, counted, and kept with its artifacts."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath

from windtunnel.backends.urgency import HurryError, unhurried
from windtunnel.errors import PlatformError
from windtunnel.plan import Plan
from windtunnel.run.system_calls import SUMMARY, count_calls

RAW = "strace.txt"
"""What strace writes while the step runs."""
RECORD = f"{RAW}.gz"
_PIECE = 1 << 20
# -D: the tracer is the command's grandchild, so the process, its parent, status and signals are the command's own.
# -q: not when it was attached; -ttt, -T: when each call began and how long it took, in microseconds.
_OPTIONS = ("-f", "-D", "-q", "-ttt", "-T", "-s", "64")


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
    return [*strace, *_OPTIONS, "-o", str(record), "--", *argv]


def keep_trace(raw: Path, folder: Path, step: str, is_urgent: Callable[[], bool] = lambda: False) -> None:
    """Put the record of a start of `step`, if there is one, and its summary into a folder of artifacts.

    Args:
        raw: The record.
        folder: Where it goes.
        step: The step.
        is_urgent: Whether somebody is in a hurry, asked meanwhile: the record is kept as it is then, without a summary.

    Raises:
        PlatformError: It cannot be kept (``results_lost``).
    """
    if not raw.is_file():
        return

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with raw.open("rb") as source, gzip.open(folder / RECORD, "wb", compresslevel=5) as target:
            target.writelines(unhurried(iter(lambda: source.read(_PIECE), b""), is_urgent))
        with raw.open(encoding="utf-8", errors="replace") as lines:
            trace = count_calls(step, unhurried(lines, is_urgent))
        (folder / SUMMARY).write_text(json.dumps(trace.to_json(), indent=2) + "\n", encoding="utf-8")
        raw.unlink()
    except HurryError:
        (folder / RECORD).unlink(missing_ok=True)
        shutil.move(raw, folder / RAW)
    except OSError as error:
        raise PlatformError(f"{step}: its system calls cannot be kept: {error.strerror}", code="results_lost") from None
