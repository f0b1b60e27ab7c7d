"""What steps used: over how long, and of which threads."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from unittest.mock import Mock

import psutil
import pytest

from support.lab import PROGRAMS, free_port
from windtunnel.backends.agent import collector
from windtunnel.backends.agent import usage as pod
from windtunnel.backends.docker.usage import Cgroup, ContainerUsage, Look
from windtunnel.backends.process.usage import TreeUsage
from windtunnel.backends.process.warden_client import Child
from windtunnel.backends.usage import Source, UsageSampler
from windtunnel.run.control import Control
from windtunnel.run.journal import UsageSample

SECONDS = 0.25


def tree(keeper: int) -> Source:
    """Return a task whose processes are those below `keeper`."""
    return Mock(usage=TreeUsage(Child("1", keeper=keeper)).read)


def sample_processes() -> float:
    """Return the seconds of a sample of the process backend, some time after the clock was set back."""
    samples: list[UsageSample] = []
    sampler = UsageSampler(Control(60), samples.append)
    sampler.add("client.1", "client", [tree(os.getpid())])
    time.sleep(SECONDS)
    sampler.remove("client.1")
    sampler.close()
    return samples[-1].seconds


def sample_container() -> float:
    """Return the same of the Docker backend, whose source is a control group."""
    usage = ContainerUsage(Mock(), "0123456789abcdef", 2**22 + 1)
    usage._cgroup = Mock(spec=Cgroup, read=lambda: Look(1.0, 0.0, 1, 1))  # noqa: SLF001 - there is no container
    samples: list[UsageSample] = []
    sampler = UsageSampler(Control(60), samples.append)
    sampler.add("client.1", "client", [Mock(usage=usage.read)])
    time.sleep(SECONDS)
    sampler.remove("client.1")
    sampler.close()
    return samples[-1].seconds


def sample_pod(monkeypatch: pytest.MonkeyPatch) -> float:
    """Return the same of a pod."""
    monkeypatch.setattr(pod, "processes", lambda: iter([(os.getpid(), "pod/client")]))
    sampler = pod.Sampler()
    time.sleep(SECONDS)
    (sample,) = sampler.sample()
    return float(sample["seconds"])


@pytest.mark.parametrize("step", [-2.0, 3600.0])
@pytest.mark.parametrize("take", [sample_processes, sample_container, sample_pod])
def test_a_step_of_the_clock_makes_no_sample_shorter_or_longer(
    monkeypatch: pytest.MonkeyPatch, take: Callable[..., float], step: float
) -> None:
    """CPU used is divided by the time that went by."""
    clock, began = time.time, time.monotonic()
    calls = iter([clock()])
    monkeypatch.setattr(time, "time", lambda: next(calls, clock() + step))
    seconds = take(monkeypatch) if take is sample_pod else take()

    assert SECONDS - 0.001 <= seconds <= time.monotonic() - began + 0.001


@pytest.fixture
def headless() -> Iterator[int]:
    """A process whose main thread has ended."""
    command = [sys.executable, str(PROGRAMS / "server.py"), "--port", str(free_port()), "--end-main-thread"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        deadline = time.monotonic() + 20
        while psutil.Process(running.pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield running.pid
        running.kill()


def test_the_memory_of_a_process_without_a_main_thread_counts(headless: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What /proc says of the process is 0 then; its other threads know it."""
    monkeypatch.setattr(pod, "processes", lambda: iter([(headless, "pod/client")]))
    sampler = pod.Sampler()
    (inside,) = sampler.sample()
    samples: list[UsageSample] = []
    beside = UsageSampler(Control(60), samples.append)
    beside.add("client.1", "client", [tree(os.getpid())])
    deadline = time.monotonic() + 20
    while not samples and time.monotonic() < deadline:
        time.sleep(0.05)
    beside.close()

    assert inside["memory"] > 1e6
    assert samples[0].memory > 1e6


def test_a_pod_ends_what_its_runtime_takes_for_ended(headless: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without a main thread, and no other."""
    with subprocess.Popen(["sleep", "1000"]) as other:
        monkeypatch.setattr(pod, "processes", lambda: iter([(headless, "pod/client"), (other.pid, "pod/client")]))
        collector.end_headless()
        os.waitid(os.P_PID, headless, os.WEXITED | os.WNOWAIT)

        assert other.poll() is None
        other.kill()
