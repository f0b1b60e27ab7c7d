"""The pod that a driver runs in owns what the run makes: against an API that is only played."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from windtunnel.backends.kubernetes.api import Cluster, Refused
from windtunnel.backends.kubernetes.driver_pod import driver_pod
from windtunnel.backends.kubernetes.settings import POD, POD_UID
from windtunnel.errors import PlatformError

PATH = "/api/v1/namespaces/bench/pods/flow-1"


class Played(Cluster):
    """A namespace with one pod."""

    def call(self, method: str, path: str, *_more: object) -> Any:
        """Answer for the pod; ``secret-1`` may not be looked at."""
        assert method == "GET"
        if path.endswith("secret-1"):
            raise Refused(403, "no")
        if path != PATH:
            raise Refused(404, "not found")
        return {"kind": "Pod", "metadata": {"name": "flow-1", "uid": "u-1"}}


CLUSTER = Played(Mock(), "bench", "played")


def test_a_driver_in_a_pod_knows_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the variables that the pod's description fills in."""
    monkeypatch.setenv(POD, "flow-1")
    monkeypatch.setenv(POD_UID, "u-1")
    assert driver_pod(CLUSTER) == {"apiVersion": "v1", "kind": "Pod", "name": "flow-1", "uid": "u-1"}


@pytest.mark.parametrize(
    "variables",
    [{}, {POD: "flow-1"}, {POD: "flow-1", POD_UID: "u-2"}, {POD: "flow-2", POD_UID: "u-1"}],
    ids=["no pod", "no uid", "another pod's name", "a pod of another namespace"],
)
def test_what_the_cluster_does_not_have_owns_nothing(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    """Kubernetes would collect all that such an owner has, at once."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert driver_pod(CLUSTER) is None


def test_a_driver_that_may_not_look_at_its_pod_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would not do so later either."""
    monkeypatch.setenv(POD, "secret-1")
    with pytest.raises(PlatformError, match="looking at the driver's own pod"):
        driver_pod(CLUSTER)
