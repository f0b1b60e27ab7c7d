"""Limits of time: a test's own is pytest-timeout's, and does not count what it needs; that has a limit here.

A plugin of pytest.
"""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

START_SECONDS = 900.0
"""How long what a test needs may take to start or to end, such as a Prefect server on a busy machine."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Limit the start of what a test needs."""
    with limited(f"the start of what {item.name} needs", START_SECONDS):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Limit its end."""
    with limited(f"the end of what {item.name} needed", START_SECONDS):
        return (yield)


@contextmanager
def limited(what: str, seconds: float) -> Iterator[None]:
    """Fail the test when something takes longer than it may."""

    def fail(_number: int, _frame: object) -> None:
        pytest.fail(f"{what} takes longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
