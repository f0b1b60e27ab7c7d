"""In what two runs differ: what forbids a comparison, what is only told, and what does not matter."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from windtunnel.analysis.differences import find_differences
from windtunnel.run.folder import RunFolder
from windtunnel.run.record import RunRecord

NewFolder = Callable[[str], RunFolder]
Made = Callable[..., RunFolder]
HOST = {
    "host": "one",
    "kernel": "Linux 6.1.0-18",
    "architecture": "x86_64",
    "cpu_model": "Xeon 1",
    "cpus": 8,
    "cpus_usable": 4,
    "cpu_governor": "performance",
    "memory": 1024,
    "load_average": [0.1, 0.2, 0.3],
    "python": "3.11.7",
    "windtunnel": "0.1.0",
    "images": {"client": {"image": "load:1", "id": "sha256:1", "digest": None}},
}
NODE = {"kernel": "6.1.0-18", "cpu": "Xeon 1", "cpus": 8, "architecture": "x86_64", "memory": 1024}
CLUSTER = {
    "cpu_model": "a laptop",
    "nodes": {"node1": NODE, "node2": NODE | {"cpu": "Xeon 2"}},
    "steps": {"client": {"nodes": ["node1"]}},
}


@pytest.fixture
def made(new_folder: NewFolder, single_node: str) -> Made:
    """Make a run of a benchmark with an environment, in which some facts may be others."""

    def make(text: str = single_node, backend: str = "process", base: dict[str, Any] = HOST, **facts: Any) -> RunFolder:
        folder = new_folder(text)
        record = RunRecord(
            run_id="x", benchmark="b", strategy="s", engine="inline", backend=backend, status="succeeded"
        )
        folder.write_record(record)
        (folder.path / "environment.json").write_text(json.dumps(base | facts))
        return folder

    return make


def keys(one: RunFolder, other: RunFolder, *, hard: bool) -> list[str]:
    """Return the keys of the differences of one kind."""
    return [each.key for each in find_differences(one, other) if each.is_hard == hard]


@pytest.mark.parametrize(
    ("fact", "value", "key"),
    [
        ("cpu_model", "Xeon 2", "cpu_model"),
        ("architecture", "aarch64", "architecture"),
        ("cpus_usable", 2, "cpus"),
        ("memory", 2048, "memory"),
        ("kernel", "Linux 6.6.1", "kernel"),
        ("images", {"client": {"image": "load:1", "id": "sha256:2"}}, "client.image"),
        ("gangs", {"gang": {"version": "5.0.1"}}, None),
    ],
)
def test_another_machine_is_a_hard_difference(made: Made, fact: str, value: Any, key: str | None) -> None:
    """As is another image of the same name; what is known of one run alone forbids nothing."""
    assert keys(made(), made(**{fact: value}), hard=True) == ([key] if key else [])


@pytest.mark.parametrize(
    ("fact", "value"), [("host", "two"), ("load_average", [9, 9, 9]), ("cpus", 9), ("started", "today")]
)
def test_what_is_another_in_each_run_is_no_difference(made: Made, fact: str, value: Any) -> None:
    """A key with the load in it would tell of regressions that are none."""
    assert find_differences(made(), made(**{fact: value})) == []


@pytest.mark.parametrize(
    ("fact", "value", "key"),
    [
        ("kernel", "Linux 6.1.0-19", "kernel_patch"),
        ("cpu_governor", "powersave", "cpu_governor"),
        ("python", "3.12.1", "python"),
        ("windtunnel", "0.2.0", "windtunnel"),
        ("cpu_model", None, "cpu_model"),
    ],
)
def test_what_may_bend_a_comparison_is_told(made: Made, fact: str, value: Any, key: str) -> None:
    """It forbids nothing; so it is with what is not known of one of them."""
    found = find_differences(made(), made(**{fact: value}))

    assert [(each.key, each.is_hard) for each in found] == [(key, False)]


def test_each_key_of_a_benchmark_counts(made: Made, single_node: str) -> None:
    """By its step and its name, but for those that change nothing of what is measured."""
    command = single_node.replace("[client]", '[client]\nenv = { MODE = "fast" }')
    assert keys(made(), made(command), hard=False) == ["client.env.MODE"]
    assert keys(made(command), made(command.replace("fast", "slow")), hard=True) == ["client.env.MODE"]
    assert find_differences(made(), made(single_node.replace("[benchmark]", '[benchmark]\ntimeout = "9m"'))) == []


def test_the_nodes_that_steps_were_on_count_and_not_the_drivers_machine(made: Made) -> None:
    """Whatever they are called."""
    one = made(backend="kubernetes", base=CLUSTER)
    moved = made(backend="kubernetes", base=CLUSTER, steps={"client": {"nodes": ["node2"]}}, cpu_model="another laptop")

    assert keys(one, moved, hard=True) == ["client.node.cpu_model"]
    assert keys(one, made(backend="kubernetes", base=CLUSTER, cpu_model="another laptop"), hard=True) == []


def test_a_run_without_an_environment_is_like_any_other(made: Made) -> None:
    """What was lost is not known, and told of."""
    one = made()
    (one.path / "environment.json").unlink()

    assert keys(one, made(), hard=True) == []
    assert "cpu_model" in keys(one, made(), hard=False)


def test_differences_read_as_key_and_both_values(made: Made) -> None:
    """What is not known is said to be so."""
    (found,) = (each for each in find_differences(made(), made(memory=None)) if each.key == "memory")

    assert str(found) == "memory: 1024 / not known"


def test_paths_are_folders_of_runs(made: Made) -> None:
    """A run is like itself."""
    run = made()

    assert find_differences(run, RunFolder(Path(run.path))) == []
