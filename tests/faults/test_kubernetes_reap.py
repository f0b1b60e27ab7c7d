"""What nobody looks after in a cluster is found and removed; what somebody looks after is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from secrets import token_hex

import pytest

from support.kubernetes_lab import kubectl
from support.lab import Lab, finish
from windtunnel.backends import make_backend
from windtunnel.backends.resources import end_orphans, find_orphans


@pytest.fixture
def namespace(cluster_empty: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A namespace of the test's own, which the commands that it starts use."""
    del cluster_empty
    name = f"reap-{token_hex(3)}"
    kubectl("create", "namespace", name)
    monkeypatch.setenv("WINDTUNNEL_NAMESPACE", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def make_lease(namespace: str, run: str, age: timedelta, lasts: int = 30) -> None:
    """Make a lease that lasts so many seconds and was renewed that long ago, as its driver's clock says."""
    moment = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": run, "labels": {"windtunnel.dev/run": run}},
        "spec": {"holderIdentity": run, "leaseDurationSeconds": lasts, "renewTime": moment},
    }
    kubectl("apply", "--namespace", namespace, "--filename", "-", text=json.dumps(lease))


def test_only_the_objects_of_stale_runs_are_removed(namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease that is renewed keeps its run's objects, whatever its driver's clock says; without, they go."""
    make_lease(namespace, "alive", timedelta(hours=1))
    make_lease(namespace, "stale", timedelta(hours=-1), lasts=1)
    monkeypatch.setattr("windtunnel.backends.kubernetes.resources.SKEW_SECONDS", -2.0)
    resources = make_backend("kubernetes").resources()
    assert resources

    (found,) = find_orphans(resources)
    assert str(found) == f"lease stale in namespace {namespace}"
    assert end_orphans(resources, [found]) == []
    left = kubectl("get", "leases", "--namespace", namespace, "--output", "name").split()
    assert left == ["lease.coordination.k8s.io/alive"]


def test_what_was_just_made_is_left_alone(namespace: str, lab: Lab) -> None:
    """An object may be older than its run's lease: `reap` beside a run that begins does not end it."""
    make_lease(namespace, "stale", timedelta(hours=1))

    with lab.start("reap", "--dry-run", "--json") as process:
        result = finish(process)
    assert not [line for line in json.loads(result.stdout)["found"] if namespace in line]
