"""A suite that is interrupted, by Ctrl-C or SIGTERM, ends what it started: each process of it what is below it.

A plugin of pytest. With pytest-xdist the process that was interrupted passes it on, and waits for the others.
"""

from __future__ import annotations

import contextlib
import ctypes
import signal
import time
from collections.abc import Iterable
from types import FrameType

import psutil
import pytest
from xdist.workermanage import WorkerController

from support.lab import living

WORKER_SECONDS = 120.0
"""How long a process of the suite may take to end what it has."""
END_SECONDS = 20.0
"""How long programs may take from SIGTERM to their end."""
_PR_SET_CHILD_SUBREAPER = 36
_workers: list[WorkerController] = []


def pytest_configure() -> None:
    """Take SIGTERM for Ctrl-C, and become the parent of every orphan below, so that none can hide."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Where the tests are started in the background SIGINT is ignored, and so it would be by all that they start.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    # What is being ended is not interrupted again: a terminal, pytest and execnet tell a worker, each on its own.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: None)
    # At once, since what is interrupted may wait for them: for a worker, or for a driver in a thread of a test.
    _signal(psutil.Process().children(), signal.SIGINT if _workers else signal.SIGTERM)
    raise KeyboardInterrupt


@pytest.hookimpl(optionalhook=True)
def pytest_testnodeready(node: WorkerController) -> None:
    """Remember a process that runs tests."""
    _workers.append(node)


def pytest_keyboard_interrupt() -> None:
    """Wait for the processes that run tests, which were interrupted too."""
    deadline = time.monotonic() + WORKER_SECONDS
    for worker in _workers:
        with contextlib.suppress(OSError, EOFError, worker.channel.RemoteError):
            worker.channel.waitclose(max(0.0, deadline - time.monotonic()))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(exitstatus: int) -> None:
    """End what is left below, after the fixtures have ended what is theirs."""
    if exitstatus == pytest.ExitCode.INTERRUPTED and not _workers:
        end_all_below()


def pytest_unconfigure() -> None:
    """End what a worker left that did not end in time."""
    if _workers:
        end_all_below()


def end_all_below(seconds: float = END_SECONDS) -> None:
    """End every process below: a driver ends its run in order, and a warden that of a driver that cannot."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + seconds
        _signal((psutil.Process(pid) for pid in living()), number)
        while living() and time.monotonic() < deadline:
            time.sleep(0.05)


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
