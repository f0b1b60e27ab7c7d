"""The first process of a flow run's pod: it hands a signal that the pod gets to the process that drives the benchmark.

``prefect flow-run execute`` cannot be that process. It starts Prefect's engine in a session of its own and passes
no SIGTERM on; and as process 1 it would not even die of one, since the kernel drops signals without a handler there.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Sequence
from contextlib import suppress

import psutil

from windtunnel.backends.agent.processes import become_subreaper
from windtunnel.errors import UsageError

FLOW_POD = "WINDTUNNEL_FLOW_POD"
"""Set for all that runs in a flow run's pod."""
_PASSED_ON = frozenset({signal.SIGTERM, signal.SIGINT})
_HEARD = _PASSED_ON | {signal.SIGCHLD}
# Prefect 3.9: one process prepares the workspace and then becomes the engine; uv may be between.
_ENGINE = re.compile(r"prefect\.(flow_)?engine|(.*/)?prefect[./]runner[./]_workspace_\w+(\.py)?")


def supervise(command: Sequence[str]) -> int:
    """Run a command, pass SIGTERM and SIGINT on to the engine below it, and wait until both have ended.

    While there is no engine the command itself gets the signal: nothing was made yet. Orphans become
    children of this process, which waits for them.

    Args:
        command: As a shell would find it, such as ``prefect flow-run execute``.

    Returns:
        The command's exit status; 128 and the number of the signal that ended it.

    Raises:
        UsageError: The command cannot be started.
    """
    become_subreaper()
    # What is blocked stays pending until it is waited for, also in process 1.
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    pid = _start(command)
    status: int | None = None
    owed: int | None = None
    while True:
        number = signal.sigwait(_HEARD)
        if number in _PASSED_ON:
            owed = number
        else:
            status = _reap(pid, status)
        if owed is None and status is None:
            continue
        engine = find_engine(psutil.Process())
        if owed and engine:
            _kill(engine.pid, owed)
            owed = None
        elif owed and status is None:
            # It stays owed to an engine that was about to begin.
            _kill(pid, owed)
        if status is not None and engine is None:
            return status


def find_engine(above: psutil.Process) -> psutil.Process | None:
    """Return the process below another one that runs Prefect's engine, or is going to; None if there is none."""
    found = None
    below = above.children(recursive=True)
    while engine := next((each for each in below if _is_engine(each)), None):
        # What a benchmark runs is no engine of ours: it has one of Windtunnel's processes above it.
        found, below = engine, _children(engine)
    return found


def _is_engine(process: psutil.Process) -> bool:
    try:
        return any(_ENGINE.fullmatch(argument) for argument in process.cmdline())
    except psutil.Error:
        return False


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children()
    except psutil.NoSuchProcess:
        return []


def _start(command: Sequence[str]) -> int:
    """Start a command that hears all signals, and return its id."""
    try:
        return os.posix_spawnp(
            command[0],
            list(command),
            os.environ | {FLOW_POD: "1"},
            setsigmask=(),
            # Python ignores them.
            setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
        )
    except OSError as error:
        raise UsageError(f"flow-pod: cannot start {command[0]!r}: {error.strerror}") from None


def _reap(pid: int, status: int | None) -> int | None:
    """Wait for all children that have ended; return the exit status of the one with an id, else what it was."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == pid:
                code = os.waitstatus_to_exitcode(ended[1])
                status = code if code >= 0 else 128 - code
    return status


def _kill(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
