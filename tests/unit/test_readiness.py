"""What `doctor` says of a Prefect server and of our work pools on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from windtunnel.engines.prefect import readiness, server
from windtunnel.engines.prefect.deployment import KUBERNETES_POOL, POOL
from windtunnel.engines.prefect.job_template import job_template

CLOSED = "http://me:hunter2@127.0.0.1:9/api"
"""Nobody answers there."""


def pool(name: str = KUBERNETES_POOL, kind: str = "kubernetes", **changes: Any) -> SimpleNamespace:
    """Return a work pool, as `install` made it for some namespace but for these changes."""
    template = json.loads(json.dumps(job_template(namespace="bench", image="windtunnel:1")))
    return SimpleNamespace(
        **({"name": name, "type": kind, "is_paused": False, "base_job_template": template} | changes)
    )


def told(monkeypatch: pytest.MonkeyPatch, *pools: SimpleNamespace, silence: float | None = 5.0) -> list[readiness.Row]:
    """Return what is said of a server that has these pools, each with a worker that was heard of so long ago."""
    heard = datetime.now(UTC) - timedelta(seconds=silence) if silence is not None else None
    workers = [] if heard is None else [SimpleNamespace(last_heartbeat_time=heard)]
    client = SimpleNamespace(read_work_pools=lambda: list(pools), read_workers_for_work_pool=lambda _pool: workers)

    @contextmanager
    def played() -> Iterator[SimpleNamespace]:
        yield client

    monkeypatch.setattr(server, "prefect_server", played)
    monkeypatch.setenv("PREFECT_API_URL", CLOSED)
    return readiness.rows()


def test_a_server_with_our_pools_and_workers_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pools of other people's are not told of."""
    rows = told(monkeypatch, pool(), pool(POOL, "process", base_job_template={}), pool("theirs", "docker"))

    assert rows == [("server", "prefect", None), ("pool", KUBERNETES_POOL, None), ("pool", POOL, None)]


@pytest.mark.parametrize(
    ("pools", "silence", "words"),
    [
        ([], 5.0, "there is none yet: windtunnel install prefect"),
        ([pool(kind="docker")], 5.0, "it is of type docker, not kubernetes"),
        ([pool(base_job_template={"job_configuration": {}})], 5.0, "its base job template is not this Windtunnel's"),
        ([pool(is_paused=True)], 5.0, f"it is paused: prefect work-pool resume {KUBERNETES_POOL}"),
        ([pool()], None, "it never had a worker"),
        ([pool()], 90.0, "no worker has looked for work for 90 s"),
    ],
)
def test_a_pool_that_runs_nothing_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, pools: list[SimpleNamespace], silence: float | None, words: str
) -> None:
    """The server itself works."""
    (first, (kind, _name, reason)) = told(monkeypatch, *pools, silence=silence)

    assert first == ("server", "prefect", None)
    assert kind == "pool"
    assert words in str(reason)


def test_a_server_that_does_not_answer_is_told_soon_and_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one row then."""
    monkeypatch.setenv("PREFECT_API_URL", CLOSED)
    with temporary_settings({PREFECT_API_URL: CLOSED}):
        ((kind, name, reason),) = readiness.rows()

    assert (kind, name) == ("server", "prefect")
    assert "does not answer" in str(reason)
    assert "hunter2" not in str(reason)


def test_no_server_is_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has configured one, and the engine works without."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setattr("windtunnel.engines.prefect._profile", dict)

    assert readiness.rows() == []
