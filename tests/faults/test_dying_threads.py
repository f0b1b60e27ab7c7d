"""Threads of a run that die of a bug, on every backend: the run ends at once with exit 70, and nothing is left."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from support import docker_lab, kubernetes_lab
from support.recorded import outcome
from windtunnel.backends import make_backend
from windtunnel.backends.kubernetes import manifests
from windtunnel.backends.kubernetes.manifests import Manifest
from windtunnel.backends.kubernetes.naming import Naming
from windtunnel.benchmark import parse
from windtunnel.engines import inline
from windtunnel.engines.request import Request
from windtunnel.run.control import Control
from windtunnel.run.events import Event
from windtunnel.run.record import RunRecord
from windtunnel.strategies import make_plan

EMPTY = {"process": "nothing_left", "docker": "docker_empty", "kubernetes": "cluster_empty"}
IMAGES = {"docker": docker_lab.image, "kubernetes": kubernetes_lab.image}
TEXT = """
spec_version = "1"
[benchmark]
name = "threads"
strategy = "client-server"
timeout = "3m"
[server]
{image}
command = ["python3", "-m", "http.server", "$PORT"]
port = {port}
live = {{ tcp = true, every = "200ms" }}
grace = "1s"
[client]
{image}
command = ["python3", "-c", "import time; print('rate=1', flush=True); time.sleep(4)"]
[[metrics]]
name = "rate"
pattern = 'rate=(\\d)'
"""


@pytest.fixture
def run(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., RunRecord]:
    """Run a benchmark that is long enough for each thread to have something to do."""

    def run_(name: str, observe: Callable[[Event], None] = lambda _event: None) -> RunRecord:
        request.getfixturevalue(EMPTY[name])
        image = f'image = "{IMAGES[name]()}"' if name in IMAGES else ""
        loaded = parse(TEXT.format(image=image, port=8080 if image else 0), tmp_path / "benchmark.toml")
        plan = make_plan(loaded.benchmark)
        control = Control.for_plan(plan)
        return inline.run(Request(loaded, plan, make_backend(name), tmp_path / "runs", control, [observe]))

    return run_


@pytest.mark.parametrize(
    ("backend", "place"),
    [
        ("process", "health.Prober._watch"),
        ("process", "usage.UsageSampler._sample"),
        ("process", "process.warden_client.WardenClient._apply"),
        pytest.param("process", "process.warden_client.WardenClient._watch", marks=pytest.mark.full),
        pytest.param("docker", "docker.events.Watcher._hear", marks=pytest.mark.full),
        ("docker", "docker.usage.ContainerUsage.read"),
        pytest.param("docker", "docker.warden_client.WardenClient._read", marks=pytest.mark.full),
        pytest.param("docker", "output.OutputFile._write", marks=pytest.mark.full),
        ("kubernetes", "kubernetes.watcher._Watch._take"),
        pytest.param("kubernetes", "kubernetes.warden.Warden._renew", marks=pytest.mark.full),
        pytest.param("kubernetes", "output.OutputFile._write", marks=pytest.mark.full),
        pytest.param("kubernetes", "kubernetes.exec.Exec._read_line", marks=pytest.mark.full),
    ],
)
@pytest.mark.timeout(170)
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_thread_that_dies_of_a_bug_ends_the_run(
    run: Callable[..., RunRecord], monkeypatch: pytest.MonkeyPatch, backend: str, place: str
) -> None:
    """Exit 70 with the traceback, where silence would wait for the deadline, or blame the platform."""

    def broken(*_arguments: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(f"windtunnel.backends.{place}", broken)
    record = run(backend)

    assert outcome(record)[:3] == (70, "failed", "internal")
    assert record.cause is not None
    assert record.cause.log_tail[-1] == "KeyError: 'a bug'"
    assert not record.resources.left
    # What a thread had open when it died is closed now, not in the next test.
    gc.collect()


@pytest.mark.full
@pytest.mark.parametrize(
    ("file", "line"),
    [("usage.py", "        found = _read()\n"), ("hub.py", "        token = self.headers.get(")],
    ids=["collector", "hub"],
)
@pytest.mark.timeout(170)
def test_a_bug_of_what_runs_in_pods_beside_the_steps_ends_the_run(
    run: Callable[..., RunRecord], monkeypatch: pytest.MonkeyPatch, file: str, line: str
) -> None:
    """Exit 70 with the traceback, where the cluster would start a collector again, and a hub would refuse for ever."""
    whole = manifests.scripts

    def broken(naming: Naming) -> Manifest:
        made = whole(naming)
        text = made["data"][f"backends.agent.{file}"]
        assert text.count(line) == 1
        made["data"][f"backends.agent.{file}"] = text.replace(line, f"        raise KeyError('a bug')\n{line}")
        return made

    monkeypatch.setattr(manifests, "scripts", broken)
    record = run("kubernetes")

    assert outcome(record)[:3] == (70, "failed", "internal")
    assert record.cause is not None
    assert record.cause.log_tail[-1] == "KeyError: 'a bug'"
    assert not record.resources.left


def test_a_disk_that_is_full_for_the_usage_thread_alone_ends_the_run(run: Callable[..., RunRecord]) -> None:
    """Exit 3 with the system's words: whatever could not be written, the run does not pass for a good one."""

    def fill(event: Event) -> None:
        if event.type == "run_started":
            (Path(str(event.data["path"])) / "usage.jsonl").symlink_to("/dev/full")

    record = run("process", fill)
    assert outcome(record)[:3] == (3, "failed", "store_failed")
    assert record.cause is not None
    assert record.cause.message == "results cannot be written: No space left on device"
