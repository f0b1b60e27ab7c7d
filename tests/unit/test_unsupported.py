"""What the format has and this version cannot run."""

from __future__ import annotations

from typing import Any

import pytest

from windtunnel.benchmark.unsupported import find_unsupported


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"run": {"until": {"ci": 0.1}}}, "run.until"),
        ({"client": {"task": "load"}}, "client.task"),
        ({"server": {"task": "load"}}, "server.task"),
        ({"servers": {"cache": {"task": "load"}}}, "servers.cache.task"),
        ({"server": {"replicas": {"max": 2}}}, "server.replicas"),
        ({"servers": {"cache": {"replicas": {"max": 2}}}}, "servers.cache.replicas"),
        ({"benchmark": {"strategy": "recipe"}}, "benchmark.strategy"),
        ({"benchmark": {"strategy": "dask"}}, "benchmark.strategy"),
    ],
)
def test_what_cannot_be_run_yet_is_found_by_its_key(document: dict[str, Any], path: str) -> None:
    """There is one complaint, at that key, and it says that it is not yet there."""
    ((found, complaint),) = find_unsupported(document)
    assert found == path
    assert "not yet" in complaint


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"run": 3, "client": "x", "server": [1], "servers": 4, "inputs": "x", "output": None, "benchmark": 1.5},
        {"servers": {"cache": 3}, "inputs": [3, {"src": 4}, {}]},
        {"benchmark": {"strategy": ["dask"]}, "server": {"replicas": 3}, "output": {"store": 7}},
        {"run": {"repeats": 3}, "output": {"store": "s3"}, "inputs": [{"src": "s3/file"}]},
    ],
)
def test_what_is_here_or_plainly_wrong_is_left_to_others(document: dict[str, Any]) -> None:
    """Values of the wrong type are no complaint of this check, and do not break it."""
    assert list(find_unsupported(document)) == []
