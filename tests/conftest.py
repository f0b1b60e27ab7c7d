"""Fixtures that all tests share."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from xdist.remote import Producer

from support import argo_lab, docker_lab, kubernetes_lab, needs
from support.kubernetes_faults import Fault
from support.lab import Lab, living
from support.scheduling import Scheduling

pytest_plugins = ("support.interruption", "support.limits")
GONE_SECONDS = 20.0
"""An idle machine needs a tenth of that."""
ALONE = {"accuracy", "contract", "faults"}
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """Say which tests stay together."""
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test that wants to be alone where `make test` does not look for such tests."""
    for item in items:
        if item.get_closest_marker("alone") and item.path.parent.name not in ALONE:
            raise pytest.UsageError(f"{item.nodeid}: marked `alone`, and not in a folder of PLATFORM_TESTS (Makefile)")


def pytest_collection_finish() -> None:
    """Let the garbage collector pass by what stays: all tests and what they import, again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that is skipped where none is to be."""
    return _without_skips((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Do the same for the tests of a file."""
    return _without_skips((yield))


def _without_skips(report: Report) -> Report:
    if report.outcome == "skipped" and needs.is_unexpected(str(report.longrepr)):
        report.outcome = "failed"
        report.longrepr = f"a skip that support/needs.py does not expect: {report.longrepr}"
    return report


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A folder of its own for one test."""
    return Lab(tmp_path)


@pytest.fixture
def nothing_left() -> Iterator[Callable[[], None]]:
    """Count from outside: what a test started has to be gone soon after it says so, and at its end."""
    before = living()

    def check(seconds: float = GONE_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while left := {pid: name for pid, name in living().items() if pid not in before}:
            assert time.monotonic() < deadline, f"still alive: {left}"
            time.sleep(0.05)

    yield check
    check()


@pytest.fixture
def docker_empty(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Count from outside: soon after a test says so, and at its end, Docker holds nothing of its runs."""
    docker_lab.need_docker()

    def check() -> None:
        docker_lab.wait_empty(tmp_path)

    yield check
    check()


@pytest.fixture
def cluster_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Count from outside: a lease and 30 s after a test says so, and at its end, the cluster holds nothing of its runs.

    Its drivers have a short lease.
    """
    kubernetes_lab.need_kubernetes()
    monkeypatch.setenv("WINDTUNNEL_LEASE_SECONDS", str(kubernetes_lab.LEASE_SECONDS))

    def check() -> None:
        kubernetes_lab.wait_empty(tmp_path)

    yield check
    check()


@pytest.fixture
def argo(request: pytest.FixtureRequest) -> Iterator[None]:
    """Argo, whose controller works; a test that is marked with `ends_controller` has it for itself."""
    with argo_lab.controller(is_mine=request.node.get_closest_marker("ends_controller") is not None):
        yield


@pytest.fixture
def fault(lab: Lab, cluster_empty: Callable[[], None], request: pytest.FixtureRequest) -> Fault:
    """A run on the cluster that something happens to; its figures are in the report of ``--junit-xml``."""
    kubernetes_lab.image()
    lab.env = dict(os.environ)  # with the short lease
    return Fault(lab, cluster_empty, lambda name, value: request.node.user_properties.append((name, value)))
